// The pages: Now and the kiosk come with the first load, the others when they are opened (the charts are half of all code).

import { useEffect, useState } from "preact/hooks";
import type { ComponentType } from "preact";
import { Banner } from "./components/banner";
import { Button } from "./components/button";
import { Kiosk } from "./pages/Kiosk";
import { Now } from "./pages/Now";
import type { PageName } from "./router";

type Loaded = { default: ComponentType };

function later(load: () => Promise<Loaded>): ComponentType {
  let loaded: ComponentType | null = null;
  return function Later() {
    const [page, setPage] = useState<ComponentType | null>(() => loaded);
    const [isLost, setLost] = useState(false);
    const get = () => {
      setLost(false);
      load().then(
        (module) => {
          loaded = module.default;
          setPage(() => loaded);
        },
        () => setLost(true),
      );
    };
    useEffect(() => {
      if (page === null) get();
    }, []);
    if (page !== null) {
      const Page = page;
      return <Page />;
    }
    if (!isLost) return <p class="quiet">Loading…</p>;
    return (
      <Banner kind="warning" role="alert" title="This page could not be loaded.">
        <p>The box does not answer, or it was updated meanwhile.</p>
        <Button onClick={get}>Try again</Button> <Button onClick={() => location.reload()}>Load all anew</Button>
      </Banner>
    );
  };
}

export const PAGES: Record<PageName, ComponentType> = {
  now: Now,
  kiosk: Kiosk,
  history: later(() => import("./pages/History")),
  events: later(() => import("./pages/Events")),
  outbox: later(() => import("./pages/Outbox")),
  settings: later(() => import("./pages/Settings")),
  setup: later(() => import("./pages/Setup")),
  login: later(() => import("./pages/Login")),
};
