"""Opens the file PATH with a SQLCipher that has OpenSSL and the key on stdin, says what it is and what is in it, and adds a row."""

import sys

from sqlcipher3 import dbapi2

database = dbapi2.connect(sys.argv[1])
database.execute(f"PRAGMA key = {sys.stdin.read()}")
print("SQLCipher", database.execute("PRAGMA cipher_version").fetchone()[0])
print("provider", database.execute("PRAGMA cipher_provider").fetchone()[0])
print("cipher_integrity_check", [row[0] for row in database.execute("PRAGMA cipher_integrity_check")])
print("integrity_check", [row[0] for row in database.execute("PRAGMA integrity_check")])
print("value", database.execute("SELECT value FROM config WHERE key = 'influxdb.password'").fetchone()[0])
database.execute("INSERT INTO config VALUES('from', 'sqlcipher3')")
database.commit()
