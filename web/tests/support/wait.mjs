// Waiting for something to become so: long enough for any machine, and no test asserts how long it took.
const LONGEST_MS = 60_000;

/** Waits until `look` returns something; says what was awaited when it never does. */
export async function waitFor(what, look) {
  const deadline = Date.now() + LONGEST_MS;
  let last;
  for (;;) {
    try {
      const found = await look();
      if (found) return found;
    } catch (problem) {
      last = problem;
    }
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}${last ? `: ${last}` : ""}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
