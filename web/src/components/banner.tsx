// A strip that says what a person should know or do. `role` decides how a screen reader says it: alert at once, status when it is quiet.

import type { ComponentChildren } from "preact";

interface BannerProps {
  kind: "information" | "success" | "warning" | "danger";
  title?: ComponentChildren;
  children?: ComponentChildren;
  role?: "alert" | "status";
}

export function Banner({ kind, title, children, role }: BannerProps) {
  return (
    <div class={`banner ${kind}`} role={role}>
      {title !== undefined && <strong class="banner-title">{title}</strong>}
      {children}
    </div>
  );
}
