import { test } from 'bun:test'

/** Tests that mount something need root, and a kernel that gives mounts of one's own; elsewhere they are skipped. */
export const inMounts =
  process.platform === 'linux' && Bun.spawnSync(['unshare', '-m', 'true']).success ? test : test.skip

/**
 * Runs a program in mounts of its own.
 * @param mounts a shell's commands, which make them; `$1` is the program's argument
 * @returns what it prints
 */
export async function withMounts(mounts: string, program: string, argument: string): Promise<string> {
  const script = `${mounts} && exec "$2" -e "$3" "$1"`
  const child = Bun.spawn(['unshare', '-m', 'sh', '-c', script, 'sh', argument, process.execPath, program], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const [out] = await Promise.all([new Response(child.stdout).text(), child.exited])
  return out
}

/** The same where a directory is a disk with so much free space, in MiB. What is written there is gone afterwards. */
export function onSmallDisk(directory: string, freeMb: number, program: string): Promise<string> {
  const mount = `size=$(($(du -sm "$1" | cut -f1) + ${freeMb})) && cp -a "$1" "$1.copy" &&
    mount -t tmpfs -o size="$size"m,mode=700 none "$1" && cp -a "$1.copy/." "$1" && rm -rf "$1.copy"`
  return withMounts(mount, program, directory)
}
