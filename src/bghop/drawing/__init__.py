"""Pictures and files of scenes."""
