import { homedir } from 'node:os';
import { join } from 'node:path';
import { ValueError } from './readers.ts';

/** A path that cannot be meant as it is written. */
export class PathError extends ValueError {}

/**
 * Reads a path as a shell would: env files and `--flag=~/x` reach the program unexpanded. A path that would create a
 * folder with a strange name here, and lose the hours with the container, is refused.
 */
export function localPath(text: string, platform: string = process.platform): string {
  if (platform !== 'win32' && isWindowsPath(text)) {
    throw new PathError(
      `is a path of Windows, and this is ${platform}: mount the folder (docker run -v) and name the path in the container`,
    );
  }
  if (/^~($|[\\/])/.test(text)) return join(homedir(), text.slice(1));
  // Neither text is quoted: it may be the start of a secret that was pasted here.
  if (text.startsWith('~')) {
    throw new PathError('begins with the name of a user, and only ~ is known: write the whole path');
  }
  if (/^\$[\w{]/.test(text))
    throw new PathError('begins with a variable, which the program does not expand: write the whole path');
  return text;
}

/** Whether the text is a path, by its start alone. Anything else may be a secret. `//` starts an address too. */
export function isPath(text: string): boolean {
  return /^(\/(?!\/)|\.{1,2}\/|~\/)/.test(text);
}

/** `C:\…`, `C:/…`, `\\server\share`, `..\…`, `~\…`, `%USERPROFILE%\…`; a file URL makes `/C:/…` of the first. */
function isWindowsPath(text: string): boolean {
  return /^(\/?[a-z]:[\\/]|(\.{1,2}|~|%\w+%)?\\)/i.test(text);
}
