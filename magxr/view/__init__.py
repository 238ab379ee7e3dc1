"""What a person looks at: maps and reports."""
