// The history of what is looked at: asked for, grown by the live points, asked for again when it has gone stale.

import { useEffect, useRef, useState } from "preact/hooks";
import { problemText, request } from "../../api";
import { boxQuery, useLive } from "../../live";
import type { History } from "../../types";
import { grown, livePoint } from "./growing";
import { fieldsFor } from "./quantities";
import { pointsFor, spanOf } from "./spans";
import type { View } from "./spans";

/** A zoom is a run of small steps; only where it stops is asked for. */
const SETTLE_MS = 200;
/** Live points are good for so long; then what the daemon made of them is better. */
const STALE_MIN_S = 60;
const STALE_MAX_S = 600;
/** A silence of so long, or of so many points, is asked for and not drawn over. */
const CATCH_UP_S = 60;
const CATCH_UP_POINTS = 3;
const CATCH_UP_EVERY_MS = 2_000;

export interface Loading {
  /** The latest answer, perhaps of another span; null before the first. */
  readonly history: History | null;
  readonly problem: string | null;
  readonly isLoading: boolean;
  again(): void;
}

/** `now`: the box's clock in Unix seconds. `width` in pixels; 0: not known yet. */
export function useHistory(view: View, fields: readonly string[], width: number, now: () => number): Loading {
  const [history, setHistory] = useState<History | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [turn, setTurn] = useState(0);
  const isFirst = useRef(true);
  const again = () => setTurn((before) => before + 1);
  const { connection } = useLive();
  const isLive = view.still === null;
  const resolution = history?.resolution ?? 0;
  // What is now is the box's to say, unless it cannot be asked.
  const isKnown = !isLive || connection !== "connecting";
  const points = width > 0 && isKnown ? pointsFor(width) : null;
  const isCatchingUp = useRef(false);
  const wanted = fieldsFor(fields);
  const box = boxQuery();

  useEffect(() => {
    if (points === null) return;
    const ended = new AbortController();
    const ask = async () => {
      setLoading(true);
      const span = spanOf(view, now());
      const query = new URLSearchParams({ from: span.from.toFixed(3), to: span.to.toFixed(3), points: String(points), fields: wanted });
      try {
        const answer = await request<History>(`/api/history?${query}${box.replace("?", "&")}`, { signal: ended.signal });
        if (ended.signal.aborted) return;
        setHistory(answer);
        isCatchingUp.current = false;
        setProblem(null);
      } catch (refused) {
        if (ended.signal.aborted) return;
        setProblem(problemText(refused));
        isCatchingUp.current = false;
      }
      setLoading(false);
    };
    const timer = setTimeout(() => void ask(), isFirst.current ? 0 : SETTLE_MS);
    isFirst.current = false;
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [view, wanted, points, box, turn]);

  useEffect(() => {
    if (connection === "live" && problem !== null) again();
  }, [connection]);

  useEffect(() => {
    if (!isLive) return;
    const stale = Math.min(STALE_MAX_S, Math.max(STALE_MIN_S, resolution));
    const timer = setInterval(() => document.hidden || again(), stale * 1000);
    return () => clearInterval(timer);
  }, [isLive, resolution]);

  useLivePoints(history, isLive, setHistory, isCatchingUp, again);
  return { history, problem, isLoading, again };
}

/** Puts each live reading to a history that goes on; where too much is missing between, it is asked for. */
function useLivePoints(history: History | null, isLive: boolean, setHistory: (next: History) => void, isCatchingUp: { current: boolean }, again: () => void): void {
  const { picture, connection } = useLive();
  const caughtUpAt = useRef(0);
  useEffect(() => {
    if (!isLive || history === null || picture === null || connection !== "live" || history.box !== picture.status.box) return;
    const point = livePoint(picture.status);
    if (point === null || isCatchingUp.current) return;
    // After a sleep of this device or a lost connection, the daemon knows what was between.
    if (point.at - history.to > Math.max(CATCH_UP_S, CATCH_UP_POINTS * history.resolution)) {
      // Simulated time may run so fast that every point is late.
      if (Date.now() - caughtUpAt.current < CATCH_UP_EVERY_MS) return;
      caughtUpAt.current = Date.now();
      isCatchingUp.current = true;
      again();
    } else setHistory(grown(history, point));
  }, [picture, isLive]);
}
