"""The three listeners: what comes over HTTPS, turned into calls of services, and their answers. No rules here."""
