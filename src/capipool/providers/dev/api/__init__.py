"""The kinds of the development cloud: upstream's, and its own for the state that a cloud keeps."""
