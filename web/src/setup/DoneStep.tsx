// Step 6: where to go, and how the page becomes an app on the phone.

import { Banner } from "../components/banner";
import { Link } from "../components/button";
import { useLive } from "../live";

export function DoneStep() {
  const { picture } = useLive();
  const isSafe = typeof isSecureContext === "boolean" && isSecureContext;
  return (
    <>
      <Banner kind="success" title="The box is set up.">
        {picture?.status.simulated && <p>It is a simulated one: everything that was set holds for it, and nothing real is switched.</p>}
      </Banner>
      <p class="row">
        <Link to="/" class="button primary">
          Go to Now
        </Link>
        <Link to="/settings" class="button">
          All settings
        </Link>
      </p>
      <section class="card" aria-label="On the phone">
        <h2>On the phone, like an app</h2>
        <ul class="help">
          <li>iPhone, iPad (Safari): the Share button, then “Add to Home Screen”.</li>
          <li>Android (Chrome, Firefox): the menu ⋮, then “Install app” or “Add to Home screen”.</li>
        </ul>
        {!isSafe && (
          <p class="quiet small">
            This page comes over plain HTTP, so it works only while the box answers. With a certificate (settings, Web page: <code>webui.tls_cert</code>) it can also show the last picture when the network is cut.
          </p>
        )}
      </section>
      <section class="card" aria-label="Before the first heat">
        <h2>Before the first heat without you</h2>
        <ul class="help">
          <li>Plug the heater's supply in again, with the thermal fuse in its lead.</li>
          <li>
            In a terminal on the box run <code>filamentbox doctor</code>: it looks at what no web page can see, such as what the pins do while the machine starts.
          </li>
          <li>Stay there for the first hour. Pull the sensor's plug once: the heater must go off within 15 seconds.</li>
        </ul>
      </section>
    </>
  );
}
