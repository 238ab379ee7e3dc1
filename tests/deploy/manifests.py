"""Manifests of `deploy/kubernetes/`, and a check of them that is stricter than the API server's.

A server drops fields that a schema does not know, without a word; here they are errors. The schemas are those
that the operator installs, as they lie in the package dask-kubernetes; for what is not the operator's, the
client of Kubernetes knows the fields.
"""

import functools
import importlib.util
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(p for p in FOLDER.glob("*.yaml") if p.name != "run.yaml")  # that is for magxr
OURS = "kubernetes.dask.org/v1"
META = {"name": str, "namespace": str, "labels": dict, "annotations": dict}


def documents(path):
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the schemas are a megabyte
    return [d for d in yaml.load_all(path.read_text(encoding="utf-8"), loader) if d]


def one(name):
    (document,) = documents(FOLDER / name)
    return document


@functools.cache
def schemas():
    """Return the schema of each kind of the operator, made strict."""
    home = Path(importlib.util.find_spec("dask_kubernetes").origin).parent
    found = {}
    for path in home.glob("operator/deployment/helm/*/crds/*.yaml"):
        for crd in documents(path):
            (version,) = crd["spec"]["versions"]
            assert f"{crd['spec']['group']}/{version['name']}" == OURS
            found[crd["spec"]["names"]["kind"]] = strict(version["schema"]["openAPIV3Schema"])
    return found


def strict(schema):
    """Return a JSON schema that knows no other fields than those named, from one of OpenAPI."""
    if isinstance(schema, list):
        return [strict(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    # names of fields are not words of the schema language: a field may be called "format"
    out = {
        k: {n: strict(s) for n, s in v.items()} if k == "properties" else strict(v) for k, v in schema.items()
    }
    if out.get("format") == "int-or-string":
        out.pop("type", None)
        out["type"] = ["integer", "string"]
    if "properties" in out and "additionalProperties" not in out:
        out["additionalProperties"] = False
    if out.pop("nullable", False) and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out


def complaints(document):
    """Return what is wrong with a manifest, as text; nothing, if the list is empty."""
    import jsonschema

    top = {"apiVersion", "kind", "metadata", "spec"}
    wrong = [f"{name!r} is no field of a manifest" for name in set(document) ^ top]
    meta = document.get("metadata", {})
    wrong += [f"metadata.{n}={v!r}" for n, v in meta.items() if not isinstance(v, META.get(n, ()))]
    body = {k: v for k, v in document.items() if k == "spec"}
    if document["apiVersion"] != OURS:
        return wrong + foreign(document)
    found = jsonschema.Draft202012Validator(schemas()[document["kind"]]).iter_errors(body)
    return wrong + [f"{e.json_path}: {e.message}" for e in found]


def foreign(document):
    """The same for a kind of Kubernetes itself, by the models of its client."""
    import kubernetes.client as k8s

    assert document["apiVersion"] == "networking.k8s.io/v1"
    return list(unknown(k8s, f"V1{document['kind']}", document, "$"))


def unknown(k8s, kind, value, path):
    """Yield the fields, and the values of another type, that a model of the client does not know."""
    outer, _, inner = kind.replace("(", "[").rstrip(")]").partition("[")
    if outer.lower() == "list" and isinstance(value, list):
        for i, item in enumerate(value):
            yield from unknown(k8s, inner, item, f"{path}[{i}]")
    elif outer.startswith("V1") and isinstance(value, dict):
        model = getattr(k8s, outer)
        names = {json: name for name, json in model.attribute_map.items()}
        for name, part in value.items():
            if name in names:
                yield from unknown(k8s, model.openapi_types[names[name]], part, f"{path}.{name}")
            else:
                yield f"{path}: {name!r} is unknown to {outer}"
    elif outer != "object" and type(value).__name__ != outer.lower():
        yield f"{path}: {value!r} is not {kind}"


def pods(document):
    """Yield (role, pod spec) of all pods that a manifest makes."""
    spec = document["spec"]
    if document["kind"] == "DaskJob":
        yield "runner", spec["job"]["spec"]
        spec = spec["cluster"]["spec"]
    if document["kind"] in {"DaskCluster", "DaskJob"}:
        yield "scheduler", spec["scheduler"]["spec"]
    if "worker" in spec:
        yield "worker", spec["worker"]["spec"]


def all_pods():
    return [
        (f"{path.name}-{role}", role, pod)
        for path in FILES
        for document in documents(path)
        for role, pod in pods(document)
    ]


def option(args, name):
    """Return the value that follows ``name`` in a command."""
    return args[args.index(name) + 1]
