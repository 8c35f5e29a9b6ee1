"""What the data doctor looks at, one file a subject: each check gives the findings of a file."""
