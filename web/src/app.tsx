// The whole: the page that is shown, in its frame, and the questions over it.

import { useEffect, useRef } from "preact/hooks";
import { shownPage } from "./access";
import { DialogHost } from "./components/dialogs";
import { Layout } from "./layout";
import { PAGES } from "./pages";
import { ROUTES, pageAt, usePlace } from "./router";
import type { PageName } from "./router";
import { useSession } from "./session";

export function App() {
  const place = usePlace();
  const who = useSession();
  const name = shownPage(pageAt(place.path), who);
  useArrival(name);
  const Page = PAGES[name];
  return (
    <>
      {name === "kiosk" ? (
        <Page />
      ) : (
        <Layout current={name}>
          <Page />
        </Layout>
      )}
      <DialogHost />
    </>
  );
}

/** Another page: its title, its top, and the focus on it, so that a screen reader reads on there. */
function useArrival(name: PageName): void {
  const before = useRef<PageName | null>(null);
  useEffect(() => {
    document.title = name === "now" ? "FilamentBox" : `${ROUTES[name].title} · FilamentBox`;
    if (before.current !== null && before.current !== name) {
      scrollTo(0, 0);
      document.getElementById("main")?.focus({ preventScroll: true });
    }
    before.current = name;
  }, [name]);
}
