// Nothing: what all tests include is precompiled for it.
