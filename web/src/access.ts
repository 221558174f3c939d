// Which page is shown to whom. A box without a password shows its setup, a locked one the login, whatever the address: after it, the page that
// was asked for is there.

import type { PageName } from "./router";
import type { Session } from "./types";

export function shownPage(wanted: PageName, who: Session | null): PageName {
  if (who === null || who.rights.includes("read")) return wanted;
  if (who.state === "setup") return "setup";
  return who.state === "login" ? "login" : wanted;
}
