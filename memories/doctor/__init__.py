"""What `manage.py doctor` looks at, a function a check; findings.py says what each brings back."""
