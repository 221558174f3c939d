// The password and the way out.

import { useState } from "preact/hooks";
import { problemText, request } from "../api";
import { Banner } from "../components/banner";
import { Button } from "../components/button";
import { forgetPicture } from "../live";
import { navigate } from "../router";
import { refreshSession, useSession } from "../session";
import { discard } from "./draft";
import { NewPassword, passwordProblem, useNewPassword } from "./NewPassword";

export function Account() {
  const who = useSession();
  if (who?.state === "open") return <p>This box is simulated: its page is open to everybody who can reach it, and there is nothing to log in to.</p>;
  return (
    <>
      <PasswordChange />
      <section class="card" aria-label="Log out">
        <h2>This browser</h2>
        <p>Logged in until you log out, or have not been here for a while. Logging out also forgets the picture that is kept for when the network is cut.</p>
        <LogOut />
      </section>
      <p class="quiet small">
        Password lost? In a terminal on the box, <code>filamentbox setup-code</code> prints a code with which a new one is set.
      </p>
    </>
  );
}

function PasswordChange() {
  const fields = useNewPassword();
  const [problem, setProblem] = useState<string | null>(null);
  const [isDone, setDone] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const change = async (event: Event) => {
    event.preventDefault();
    const wrong = passwordProblem(fields.password, fields.again, fields.isShown);
    setProblem(wrong);
    setDone(false);
    if (wrong !== null) return;
    setBusy(true);
    try {
      await request("/api/config", { method: "POST", body: { changes: { "webui.password": fields.password } } });
      // A changed password ends every login, this one too.
      await request("/api/login", { method: "POST", body: { password: fields.password }, mayAsk: false });
      fields.clear();
      setDone(true);
      await refreshSession();
    } catch (refused) {
      setProblem(problemText(refused));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="card" onSubmit={(event) => void change(event)} aria-label="Change the password">
      <h2>Change the password</h2>
      <p>Other browsers have to log in again. You may be asked for the old password first.</p>
      <NewPassword {...fields} problem={problem} />
      {isDone && (
        <Banner kind="success" role="status">
          The password is changed.
        </Banner>
      )}
      <div>
        <Button kind="primary" type="submit" isBusy={isBusy}>
          Change it
        </Button>
      </div>
    </form>
  );
}

function LogOut() {
  const [problem, setProblem] = useState<string | null>(null);
  const leave = async () => {
    try {
      await request("/api/logout", { method: "POST" });
      discard();
      forgetPicture();
      await refreshSession();
      navigate("/login");
    } catch (refused) {
      setProblem(problemText(refused));
    }
  };
  return (
    <div class="row">
      <Button onClick={() => void leave()}>Log out</Button>
      <span class="problem" role="alert">
        {problem}
      </span>
    </div>
  );
}
