// Pictures of our own, drawn on 24 by 24. They repeat what the words beside them say, so screen readers skip them.

const PATHS = {
  now: "M12 3.5S5.5 10.4 5.5 14.7a6.5 6.5 0 0 0 13 0C18.5 10.4 12 3.5 12 3.5Z",
  history: "M3.5 20.5h17M4.5 16.5l4.5-6 4 4 6.5-9",
  events: "M8.5 6h12M8.5 12h12M8.5 18h12M3.8 6h.4M3.8 12h.4M3.8 18h.4",
  outbox: "M4 13.5v6h16v-6M12 3.5v11M7.5 8l4.5-4.5L16.5 8",
  settings: "M3.5 7h9M17.5 7h3M3.5 17h3M11.5 17h9M15 4.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5ZM9 14.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z",
  heater: "M7 3.5c-2.5 3 2.5 5.5 0 8.5M12 3.5c-2.5 3 2.5 5.5 0 8.5M17 3.5c-2.5 3 2.5 5.5 0 8.5M4 16h16M4 20h16",
  fan: "M12 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3ZM12 10.5C9.5 7 10 3.5 13 3.5s3 4-1 7M13.300 12.750C17.600 12.300 20.400 14.5 18.900 17.100S14 18.200 13.300 12.750M10.700 12.750C8.900 16.700 5.600 18 4.100 15.400S6.100 11 10.700 12.750",
  good: "M12 3.5a8.500 8.500 0 1 0 0 17a8.500 8.500 0 0 0 0-17ZM8 12.500l2.800 2.800L16 9.500",
  waiting: "M12 3.5a8.500 8.500 0 1 0 0 17a8.500 8.500 0 0 0 0-17ZM12 7.500v5l3 2",
  warning: "M12 4 2.800 20h18.400L12 4ZM12 10v4.500M12 17.300v.2",
  danger: "M8.500 3.5h7l5 5v7l-5 5h-7l-5-5v-7l5-5ZM12 7.500v5.500M12 16.300v.2",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
