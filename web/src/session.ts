// Who we are to the daemon, and what we may.

import { createStore, useStore } from "./store";
import type { Right, Session } from "./types";

/** Null until the daemon has answered for the first time. */
export const session = createStore<Session | null>(null);

/** A daemon that does not know the question serves a simulated box, in which everything is allowed. */
const OPEN: Session = {
  state: "open",
  simulated: true,
  public_read: true,
  rights: ["read", "control", "configure"],
  confirmed_until: null,
  name: "",
  version: "",
};

let asking: Promise<void> | null = null;

/** Asks the daemon anew; nothing changes where it does not answer. */
export function refreshSession(): Promise<void> {
  asking ??= ask().finally(() => {
    asking = null;
  });
  return asking;
}

async function ask(): Promise<void> {
  try {
    // Not through api.ts, which comes here on a 401.
    const response = await fetch("/api/session", { credentials: "same-origin", cache: "no-store" });
    if (response.ok) session.set((await response.json()) as Session);
    else if (response.status === 404) session.set(OPEN);
  } catch {
    // The network is cut; the last picture is still shown.
  }
}

export function useSession(): Session | null {
  return useStore(session);
}

/** Whether something may be tried; while nothing is known it may: the daemon decides. */
export function may(who: Session | null, right: Right): boolean {
  return who === null || who.rights.includes(right);
}
