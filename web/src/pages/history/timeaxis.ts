// The words of the time axis and of the cursor, in this device's time zone and its language's way of writing times.

const MINUTE = 60;
const DAY = 86_400;
/** Marks that are at least so far apart are months. */
const MONTH_MIN = 28 * DAY;

export interface TimeWords {
  /** The marks of the axis; a line break begins the second line. */
  marks(at: readonly number[], apart: number): string[];
  /** The moment under the cursor, as exact as the points are. */
  moment(at: number, resolution: number): string;
}

/** `locale` and `timeZone` are this device's where they are left out. */
export function timeWords(locale?: string, timeZone?: string): TimeWords {
  const format = (options: Intl.DateTimeFormatOptions) => {
    const made = new Intl.DateTimeFormat(locale, timeZone === undefined ? options : { ...options, timeZone });
    return (at: number) => made.format(at * 1000);
  };
  const seconds = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const minutes = format({ hour: "2-digit", minute: "2-digit" });
  const day = format({ day: "numeric", month: "short" });
  const dayNamed = format({ weekday: "short", day: "numeric", month: "short" });
  const dayOfYear = format({ day: "numeric", month: "short", year: "numeric" });
  const month = format({ month: "short" });
  const year = format({ year: "numeric" });

  /** The second line only where it changes. */
  const twoLines = (at: readonly number[], upper: (at: number) => string, lower: (at: number) => string) => {
    let before = "";
    return at.map((moment) => {
      const below = lower(moment);
      const isNew = below !== before;
      before = below;
      return isNew ? `${upper(moment)}\n${below}` : upper(moment);
    });
  };

  return {
    marks(at, apart) {
      if (apart < MINUTE) return twoLines(at, seconds, day);
      if (apart < DAY) return twoLines(at, minutes, day);
      return apart < MONTH_MIN ? twoLines(at, day, year) : twoLines(at, month, year);
    },
    moment(at, resolution) {
      if (resolution >= DAY) return dayOfYear(at);
      return resolution < MINUTE ? `${dayNamed(at)}, ${seconds(at)}` : `${dayNamed(at)}, ${minutes(at)}`;
    },
  };
}
