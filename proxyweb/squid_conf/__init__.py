"""What Squid is told: the include file that the settings ask for, and whether a running Squid goes by it."""
