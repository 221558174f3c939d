// The login: a password, a clear refusal, and OFF for everybody.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ApiError, problemText, request } from "../api";
import { countdown } from "../ages";
import { Banner } from "../components/banner";
import { Button, Link } from "../components/button";
import { SecretInput } from "../components/secret";
import { refresh } from "../live";
import { navigate } from "../router";
import { refreshSession, useSession } from "../session";

export default function Login() {
  const who = useSession();
  if (who?.state === "open" || who?.state === "in") {
    return (
      <>
        <h1>Log in</h1>
        <Banner kind="information">
          {who.state === "in" ? "You are logged in." : "This box is simulated: nobody has to log in."} <Link to="/">Go to Now</Link>
        </Banner>
      </>
    );
  }
  return (
    <>
      <h1>Log in{who?.name ? ` to ${who.name}` : ""}</h1>
      {who?.state === "setup" ? (
        <Banner kind="information" title="No password is set yet.">
          <Link to="/setup">Set it up</Link>
        </Banner>
      ) : (
        <LoginForm />
      )}
      <details class="card">
        <summary>Password lost?</summary>
        <p>In a terminal on the box (or by ssh):</p>
        <p>
          <code>filamentbox setup-code</code>
        </p>
        <p>
          It prints a code that counts for 15 minutes, and the address to open. <Link to="/setup">Type the code here</Link> and choose a new password. Settings and measurements stay as they are.
        </p>
      </details>
    </>
  );
}

function LoginForm() {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [waitsUntil, setWaitsUntil] = useState(0);
  const left = useSecondsLeft(waitsUntil);
  const logIn = async (event: Event) => {
    event.preventDefault();
    if (left > 0) return;
    if (password === "") {
      setProblem("Type the password.");
      input.current?.focus();
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      await request("/api/login", { method: "POST", body: { password }, mayAsk: false });
      await refreshSession();
      void refresh();
      if (location.pathname === "/login") navigate("/", { replace: true });
    } catch (refused) {
      setPassword("");
      if (refused instanceof ApiError && refused.status === 429) setWaitsUntil(Date.now() + (refused.retryAfter ?? 60) * 1000);
      setProblem(refused instanceof ApiError && refused.status === 401 ? "That is not the password." : problemText(refused));
      setBusy(false);
      input.current?.focus();
    }
  };
  const words = left > 0 ? `Too many tries. Wait ${countdown(left)}.` : problem;
  return (
    <form class="card" onSubmit={(event) => void logIn(event)} noValidate>
      {/* So that a password manager has a name to keep it under. */}
      <input type="text" class="unseen" autocomplete="username" value="filamentbox" readOnly tabIndex={-1} aria-hidden="true" />
      <label class="field" htmlFor={id}>
        Password
      </label>
      <SecretInput
        id={id}
        inputRef={input}
        value={password}
        label="the password"
        autocomplete="current-password"
        isInvalid={problem !== null}
        describedBy={`${id}-problem`}
        onInput={setPassword}
      />
      {/* The time that is left is not read out every second. */}
      <p class="problem" id={`${id}-problem`} role={left > 0 ? undefined : "alert"}>
        {words}
      </p>
      <div>
        <Button kind="primary" type="submit" isBusy={isBusy} isDisabled={left > 0}>
          Log in
        </Button>
      </div>
    </form>
  );
}

/** Counts down to a moment (this device's milliseconds). */
function useSecondsLeft(until: number): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const count = () => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    count();
    if (until <= Date.now()) return undefined;
    const timer = setInterval(count, 1000);
    return () => clearInterval(timer);
  }, [until]);
  return left;
}
