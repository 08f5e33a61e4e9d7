// Nothing: the precompiled header of the tests of components is compiled for it.
