// The frame around every page: skip link, bar at the top, navigation (at the bottom of a phone, at the side of a desk), banners.

import type { ComponentChildren } from "preact";
import { Banner } from "./components/banner";
import { Link } from "./components/button";
import { Icon } from "./components/icons";
import { EverythingOff } from "./components/off";
import { useLive } from "./live";
import { chosenBox } from "./preferences";
import { ROUTES } from "./router";
import type { PageName } from "./router";
import { useSession } from "./session";
import { useStore } from "./store";

const NAVIGATION = ["now", "history", "events", "outbox", "settings"] as const;

/** OFF is within reach wherever somebody may stand who wants it, locked out or not. */
const WITH_OFF: readonly PageName[] = ["now", "login", "setup"];

export function Layout({ current, children }: { current: PageName; children: ComponentChildren }) {
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <Name />
        <BoxChoice />
        <Connection />
      </header>
      <nav class="navigation" aria-label="Pages">
        {NAVIGATION.map((name) => (
          <Link key={name} to={ROUTES[name].path} isCurrent={name === current}>
            <Icon name={name} />
            {ROUTES[name].title}
          </Link>
        ))}
      </nav>
      <main id="main" tabIndex={-1} class={`page page-${current}`}>
        <Simulated />
        {children}
        {WITH_OFF.includes(current) && <EverythingOff />}
      </main>
    </div>
  );
}

function Name() {
  const who = useSession();
  return (
    <Link to="/" class="name">
      <img src="/icon.svg" alt="" width="28" height="28" />
      {who?.name || "FilamentBox"}
    </Link>
  );
}

/** Only where there are several. */
function BoxChoice() {
  const { picture } = useLive();
  const chosen = useStore(chosenBox);
  const boxes = picture?.status.boxes ?? [];
  if (boxes.length < 2) return null;
  return (
    <label class="box-choice">
      <span class="unseen">Box</span>
      <select value={chosen || picture?.status.box} onChange={(event) => chosenBox.set(event.currentTarget.value)}>
        {boxes.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function Connection() {
  const { connection } = useLive();
  const words = { connecting: "Connecting…", live: "Live", lost: "No connection", locked: "Locked" }[connection];
  return (
    <span class={`connection ${connection}`} role="status">
      {words}
    </span>
  );
}

function Simulated() {
  const { picture } = useLive();
  if (!picture?.status.simulated) return null;
  return (
    <Banner kind="information">
      <p>
        <strong>Simulated box:</strong> nothing here is real.
      </p>
    </Banner>
  );
}
