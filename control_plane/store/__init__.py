"""What is kept, and the statements that read and write it. No rules here: who may do what is services' work."""
