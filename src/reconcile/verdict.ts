import type { Hour } from '../hours.ts';
import type { LandedObject, QuarantinedObject } from '../landing/manifest.ts';

/** Why a file goes to failed_uploads/. */
export type MoveCode =
  | 'NOT_AN_EXPORT_FILE'
  | 'NOT_LANDED'
  | 'SEALED_EMPTY'
  | 'NOT_IN_MANIFEST'
  | 'ANOTHER_PROJECT'
  | 'MANIFEST_UNREADABLE'
  | 'UNREADABLE'
  | 'CONTENT_DIFFERS'
  | 'STORED_MISSING'
  | 'STORED_DIFFERS';

/** What a manifest says of one member: its object, and the quarantine of its bad lines where there is one. */
export interface Landed {
  readonly object: LandedObject;
  readonly quarantine: readonly QuarantinedObject[];
}

/** What is to be done with a file. `safe`: the destination has confirmed its content. */
export type Verdict =
  | { readonly kind: 'safe'; readonly hour: Hour; readonly landed: Landed }
  | { readonly kind: 'move'; readonly hour: Hour | undefined; readonly code: MoveCode; readonly reason: string }
  | { readonly kind: 'keep'; readonly code: string; readonly reason: string };

export const keep = (code: string, reason: string): Verdict => ({ kind: 'keep', code, reason });
