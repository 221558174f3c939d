// The passing of time on the page.

import { useEffect, useState } from "preact/hooks";
import type { Picture } from "./live";

/** This device's time in milliseconds, anew every second. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** The age of the picture's reading in seconds: what it was when the daemon answered, and the time since. Null without a reading. */
export function readingAge(picture: Picture, now: number): number | null {
  const { age } = picture.status.sensor;
  return age === null ? null : age + Math.max(0, now - picture.takenAt) / 1000;
}

/** The box's clock in Unix seconds, whatever this device's clock says. */
export function boxTime(picture: Picture, now: number): number {
  const { age, timestamp } = picture.status.sensor;
  const since = (now - picture.takenAt) / 1000;
  return age !== null && timestamp !== null ? timestamp + age + since : now / 1000;
}
