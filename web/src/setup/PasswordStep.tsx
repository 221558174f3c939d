// Step 1: the one-time code, which shows that one may use the machine, and a password.

import { useEffect, useId, useState } from "preact/hooks";
import { ApiError, problemText, request } from "../api";
import { Banner } from "../components/banner";
import { Button, Link } from "../components/button";
import { refresh } from "../live";
import { refreshSession, useSession } from "../session";
import { NewPassword, passwordProblem, useNewPassword } from "../settings/NewPassword";
import { codeIn } from "./steps";

/** The code does not stay in the address, where it would be seen, kept and shared. */
function useCodeFromAddress(): string {
  const [code, setCode] = useState(() => codeIn(location.hash));
  useEffect(() => {
    if (code !== "") history.replaceState(history.state, "", location.pathname + location.search);
    // The address that `setup-code` prints, opened where this page is open already.
    const arrived = () => setCode(codeIn(location.hash));
    addEventListener("hashchange", arrived);
    return () => removeEventListener("hashchange", arrived);
  }, [code]);
  return code;
}

export function PasswordStep({ onNext }: { onNext(): void }) {
  const who = useSession();
  const given = useCodeFromAddress();
  const [isAnew, setAnew] = useState(given !== "");
  if (who?.state === "open") {
    return (
      <>
        <p>This box is simulated: its page is open to everybody who can reach it, so there is no password to set. On a real box this step asks for the code that the program prints, and for a password.</p>
        <Button kind="primary" onClick={onNext}>
          Go on
        </Button>
      </>
    );
  }
  if (who?.state === "in" && !isAnew) {
    return (
      <>
        <p>A password is set, and you are logged in.</p>
        <div class="row">
          <Button onClick={() => setAnew(true)}>I have a code, and want another password</Button>
          <Button kind="primary" onClick={onNext}>
            Go on
          </Button>
        </div>
      </>
    );
  }
  return (
    <>
      {who?.state === "login" && !isAnew && (
        <Banner kind="information">
          A password is set already. <Link to="/login">Log in</Link> to go on with the setup, or choose a new password here with a code.
        </Banner>
      )}
      <CodeForm key={given} given={given} onDone={onNext} />
    </>
  );
}

function CodeForm({ given, onDone }: { given: string; onDone(): void }) {
  const id = useId();
  const fields = useNewPassword();
  const [code, setCode] = useState(given);
  const [codeProblem, setCodeProblem] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const setUp = async (event: Event) => {
    event.preventDefault();
    const wrong = passwordProblem(fields.password, fields.again, fields.isShown);
    setCodeProblem(code.trim() === "" ? "Type the code." : null);
    setProblem(wrong);
    if (wrong !== null || code.trim() === "") return;
    setBusy(true);
    try {
      await request("/api/setup", { method: "POST", body: { code: code.trim(), password: fields.password }, mayAsk: false });
      await refreshSession();
      void refresh();
      onDone();
    } catch (refused) {
      const isAboutCode = refused instanceof ApiError && (refused.status === 403 || refused.status === 410);
      (isAboutCode ? setCodeProblem : setProblem)(problemText(refused));
      if (isAboutCode) document.getElementById(id)?.focus();
      setBusy(false);
    }
  };
  return (
    <form class="card" onSubmit={(event) => void setUp(event)} noValidate>
      <p>
        The code shows that the box is yours. It stands in the log when the program starts, and a fresh one is printed in a terminal on the box by
        <br />
        <code>filamentbox setup-code</code>
        <br />
        It counts for 15 minutes.
      </p>
      <label class="field" htmlFor={id}>
        Code
      </label>
      <input
        id={id}
        autocomplete="one-time-code"
        autocapitalize="none"
        spellcheck={false}
        value={code}
        aria-invalid={codeProblem !== null}
        aria-describedby={`${id}-problem`}
        onInput={(event) => setCode(event.currentTarget.value)}
      />
      <p class="problem" id={`${id}-problem`} role="alert">
        {codeProblem}
      </p>
      <NewPassword {...fields} problem={problem} />
      <div>
        <Button kind="primary" type="submit" isBusy={isBusy}>
          Set the password
        </Button>
      </div>
    </form>
  );
}
