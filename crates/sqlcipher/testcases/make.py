"""Makes the files of this folder with another SQLCipher, one that has OpenSSL:

    python3 -m venv venv && venv/bin/pip install --only-binary :all: PACKAGE && venv/bin/python make.py FILE KEY

raw-key.db      sqlcipher3-wheels==0.5.7 (SQLCipher 4.12.0)    "x'603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'"
passphrase.db   sqlcipher3==0.6.4 (SQLCipher 4.19.0)           'correct horse ''battery'' stäple'
"""

import sys

from sqlcipher3 import dbapi2

path, key = sys.argv[1:]
database = dbapi2.connect(path)
database.execute(f"PRAGMA key = {key}")
database.execute("CREATE TABLE config(key TEXT PRIMARY KEY, value TEXT NOT NULL)")
database.execute("INSERT INTO config VALUES('influxdb.password', '\"planted-secret\"')")
# Overflow pages: a page of each kind.
database.execute("INSERT INTO config VALUES('long', ?)", ("0123456789" * 1000,))
database.commit()
