# Targets for people: check, demo. Included by the top Makefile.
