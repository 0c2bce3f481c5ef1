"""What people type, read into intents and options. Pure: nothing here asks anybody."""
