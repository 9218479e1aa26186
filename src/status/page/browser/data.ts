/** State, events, objects, bytes, sealed at; then, where there are any, lines in quarantine and events at the last answer. */
export type HourRow =
  | readonly [state: number, events: number | null, objects: number, bytes: number, sealedAt: number | null]
  | readonly [
      state: number,
      events: number | null,
      objects: number,
      bytes: number,
      sealedAt: number | null,
      quarantined: number,
      shrunkTo: number | null,
    ];

export interface PageData {
  /** What hours are shaded by. */
  readonly metric: 'events' | 'bytes';
  readonly states: readonly string[];
  /** The first hour, as whole hours since 1970-01-01T00Z. */
  readonly start: number;
  /** From here on an hour has the strongest shade. */
  readonly top: number;
  readonly hours: readonly HourRow[];
}
