"""The rules: who is enrolled, what is published, what is signed, what is believed. Knows no HTTP."""
