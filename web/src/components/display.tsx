// How this browser shows things, who is logged in, and what runs.

import { request } from "../api";
import { forgetPicture } from "../live";
import { temperatureUnit, theme } from "../preferences";
import { refreshSession, useSession } from "../session";
import { useStore } from "../store";
import { Button, Link } from "./button";

const UNITS = [
  ["C", "°C"],
  ["F", "°F"],
] as const;
const THEMES = [
  ["auto", "Auto"],
  ["light", "Light"],
  ["dark", "Dark"],
] as const;

export function Display({ version, uptime }: { version?: string; uptime?: string }) {
  const unit = useStore(temperatureUnit);
  const colours = useStore(theme);
  return (
    <footer class="display">
      <div class="row">
        <div class="choice" role="group" aria-label="Unit of temperature">
          {UNITS.map(([value, words]) => (
            <Button key={value} isPressed={value === unit} onClick={() => temperatureUnit.set(value)}>
              {words}
            </Button>
          ))}
        </div>
        <div class="choice" role="group" aria-label="Colours">
          {THEMES.map(([value, words]) => (
            <Button key={value} isPressed={value === colours} onClick={() => theme.set(value)}>
              {words}
            </Button>
          ))}
        </div>
        <Access />
      </div>
      <p class="quiet small">
        {version !== undefined && `FilamentBox ${version}, up ${uptime} · `}
        <Link to="/kiosk">Kiosk view</Link>
      </p>
    </footer>
  );
}

function Access() {
  const who = useSession();
  const leave = async () => {
    await request("/api/logout", { method: "POST" }).catch(() => undefined);
    forgetPicture();
    await refreshSession();
  };
  if (who?.state === "in") return <Button onClick={() => void leave()}>Log out</Button>;
  return who?.state === "login" ? <Link to="/login">Log in</Link> : null;
}
