// The colours of the chart. A canvas knows no custom properties, so they are read from the page, anew when its theme changes.

import { useEffect, useState } from "preact/hooks";
import { theme } from "../../preferences";

export interface Palette {
  readonly ink: string;
  readonly line: string;
  readonly quiet: string;
  /** By custom property. */
  colour(property: string): string;
  /** The same colour, thin enough to look through; `alpha` is two hexadecimal digits. */
  thin(property: string, alpha: string): string;
}

function read(): Palette {
  const styles = getComputedStyle(document.documentElement);
  const colour = (property: string) => styles.getPropertyValue(property).trim();
  return { ink: colour("--ink"), line: colour("--line"), quiet: colour("--quiet"), colour, thin: (property, alpha) => colour(property) + alpha };
}

/** A new palette each time that the looks change. */
export function usePalette(): Palette {
  const [palette, setPalette] = useState(read);
  useEffect(() => {
    const again = () => setPalette(read());
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    // After followTheme() in preferences.ts, which was there first.
    const end = theme.subscribe(again);
    return () => {
      dark.removeEventListener("change", again);
      end();
    };
  }, []);
  return palette;
}
