"""Virtual machine scale sets: what one is, how it is written, grows and shrinks, acts on machines, and rolls."""
