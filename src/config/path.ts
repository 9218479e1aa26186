import { homedir } from 'node:os';
import { join } from 'node:path';

/** A path that cannot be meant as it stands; the message goes on after "it". */
export class PathError extends RangeError {}

/**
 * A path as a shell would hand it over: env files and `--flag=~/x` reach the program as they were written. What would
 * make a folder of a strange name here, and lose the hours with the container, throws a PathError.
 */
export function localPath(text: string, platform: string = process.platform): string {
  if (platform !== 'win32' && isOfWindows(text)) {
    throw new PathError(
      `is a path of Windows, and this is ${platform}: mount the folder (docker run -v) and name the path in the container`,
    );
  }
  if (/^~($|[\\/])/.test(text)) return join(homedir(), text.slice(1));
  // Neither is quoted: it may be the head of a secret that was pasted here.
  if (text.startsWith('~'))
    throw new PathError('begins with the name of a user, and only ~ is known: write the whole path');
  if (/^\$[\w{]/.test(text)) throw new PathError('begins with a variable, which nothing expands: write the whole path');
  return text;
}

/** Whether it is a path by its beginning alone; whatever else is set may be a secret. `//` begins an address too. */
export function isPath(text: string): boolean {
  return /^(\/(?!\/)|\.{1,2}\/|~\/)/.test(text);
}

/** `C:\…`, `C:/…`, `\\server\share`, `..\…`, `~\…`, `%USERPROFILE%\…`; `/C:/…` is what a file URL makes of the first. */
function isOfWindows(text: string): boolean {
  return /^(\/?[a-z]:[\\/]|(\.{1,2}|~|%\w+%)?\\)/i.test(text);
}
