/** Where the root of a container lies. Files such as /.dockerenv prove less: an image that became a machine keeps them. */
const CONTAINER_ROOTS = ['overlay', 'aufs', 'fuse.fuse-overlayfs'];

/** Memory, which ends with the container as its own layer does. */
const MEMORY = ['tmpfs', 'ramfs'];

/**
 * Whether a folder lies in a container and on none of its mounts, so that it is lost with it. `mountinfo` is what Linux
 * tells in /proc/self/mountinfo.
 */
export function isLostWithContainer(folder: string, mountinfo: string): boolean {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [front = '', back = ''] = line.split(' - ');
    const point = front.split(' ')[4];
    if (point === undefined) return [];
    return [{ point: unescaped(point), type: back.split(' ')[0] ?? '' }];
  });
  // What is mounted later covers what was there.
  const at = (path: string) => mounts.findLast(({ point }) => point === path)?.type;
  if (!CONTAINER_ROOTS.includes(at('/') ?? '')) return false;
  for (let path = folder; path !== '/' && path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    const type = at(path);
    if (type !== undefined) return MEMORY.includes(type);
  }
  return true;
}

function unescaped(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
