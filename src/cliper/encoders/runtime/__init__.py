"""How an encoder's networks are computed: the same function, faster."""
