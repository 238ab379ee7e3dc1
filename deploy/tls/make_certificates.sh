#!/bin/sh
# Make what a private Dask cluster needs to speak TLS: a folder with the certificate of an authority of its own
# (ca.pem), keys and certificates for the scheduler, the workers and the clients, and dask.yaml, which names them.
#
#   sh make_certificates.sh FOLDER [DAYS]
#
# Needs openssl (1.0.2 or newer) and nothing else.
set -eu
umask 077

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: sh make_certificates.sh FOLDER [DAYS]" >&2
    exit 2
fi
days=${2-365}
case $days in
    '' | *[!0-9]* | 0*) echo "DAYS is '$days'; give a whole number of days, e.g. 365" >&2; exit 2 ;;
esac
if [ -e "$1" ] || [ -L "$1" ]; then
    echo "$1 is already there, and is left as it is; name a folder that is not" >&2
    exit 1
fi
template=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/dask.yaml
[ -f "$template" ] || { echo "$template is missing; it belongs beside this script" >&2; exit 1; }
command -v openssl > /dev/null || { echo "openssl is not installed here" >&2; exit 1; }

mkdir -m 700 -- "$1"
folder=$(CDPATH='' cd -- "$1" && pwd)
# All or nothing: half a folder would be taken for a whole one.
trap 'rm -rf -- "$folder"' EXIT
trap 'exit 130' INT TERM HUP
case $folder in
    *[\"\\\$\&\|]* | *"
"*) echo "$folder has a character that dask.yaml cannot hold; choose another folder" >&2; exit 1 ;;
esac
cd "$folder"

key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1"
}

# Who may do what. Workers and the scheduler call each other and are called, so they are both ends of TLS. A
# client only calls: its certificate does not make it a scheduler or a worker that others would believe.
cat > .settings << END
[req]
distinguished_name = name
prompt = no
[name]
CN = Dask cluster, private authority
[authority]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[both]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
[calls]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
END

key .authority-key.pem
openssl req -new -x509 -sha256 -days "$days" -config .settings -extensions authority \
    -key .authority-key.pem -out ca.pem

serial=1
for role in scheduler worker client; do
    kind=both
    [ $role = client ] && kind=calls
    key $role-key.pem
    openssl req -new -sha256 -config .settings -subj "/CN=Dask cluster, $role" -key $role-key.pem -out .request
    openssl x509 -req -sha256 -days "$days" -in .request -CA ca.pem -CAkey .authority-key.pem \
        -set_serial $serial -extfile .settings -extensions $kind -out $role.pem 2> .said \
        || { cat .said >&2; exit 1; }
    serial=$((serial + 1))
done

sed "s|FOLDER|$folder|g" "$template" > dask.yaml
# The authority's key has done its work. Without it nobody can make a fourth certificate.
rm -f .authority-key.pem .settings .request .said
chmod 600 -- *
trap - EXIT
echo "made $folder, good for $days days; on every machine of the cluster, and where magxr runs:"
echo "export DASK_CONFIG=\"$folder/dask.yaml\""
