// Switching: what a person wishes, and what became of it in words.

import { ApiError, problemText, request, sentence } from "./api";
import { live, refresh } from "./live";
import type { Controlled, OutputName } from "./types";

/** "On" by hand ends by itself: nobody forgets a heater. */
export const ON_FOR_S = 30 * 60;

export interface Outcome {
  tone: "done" | "refused" | "failed";
  words: string;
  /** Whether logging in would help. */
  needsLogin: boolean;
}

function path(output: OutputName, box: string): string {
  return `/api/controls/${output}${box === "" ? "" : `?box=${encodeURIComponent(box)}`}`;
}

/** Switches an output of a box: on for half an hour, off until somebody decides otherwise, or automatic (null). */
export async function wish(output: OutputName, state: boolean | null, box: string): Promise<Outcome> {
  try {
    const body = state === true ? { state, seconds: ON_FOR_S } : { state };
    // OFF never waits for a password.
    const answer = await request<Controlled>(path(output, box), { method: "POST", body, mayAsk: state !== false });
    void refresh();
    return outcome(output, state, answer);
  } catch (problem) {
    const needsLogin = problem instanceof ApiError && (problem.status === 401 || problem.status === 403);
    return { tone: "failed", words: problemText(problem), needsLogin };
  }
}

/** The words for an answer: what was wished and what is may differ, and the daemon says why. */
export function outcome(output: OutputName, state: boolean | null, answer: Controlled): Outcome {
  const isAsWished = state === null || answer.on === state;
  if (!isAsWished) return { tone: "refused", words: `Still ${answer.on ? "on" : "off"}: ${answer.reason}`, needsLogin: false };
  return { tone: "done", words: `${sentence(output)} ${answer.on ? "on" : "off"}: ${answer.reason}`, needsLogin: false };
}

/** Heater and fan off, in every box. Allowed to everybody who sees the page. */
export async function everythingOff(): Promise<Outcome[]> {
  const status = live.get().picture?.status;
  const boxes = status?.boxes ?? [status?.box ?? ""];
  const wishes = boxes.flatMap((box) =>
    (["heater", "fan"] as const).map(async (output) => {
      const result = await wish(output, false, box);
      return boxes.length > 1 ? { ...result, words: `${box}: ${result.words}` } : result;
    }),
  );
  return Promise.all(wishes);
}
