import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { until } from '../../support/until.ts'

/** Copies tried until the kernel wrote nothing during one: a cut is one instant. */
const COPIES = 40

/** A disk in a file, with an ext4 file system that is mounted. */
export class LoopDisk {
  /** Where it is mounted. */
  readonly path: string
  readonly #image: string

  private constructor(directory: string) {
    this.path = join(directory, 'disk')
    this.#image = join(directory, 'disk.img')
  }

  /** Whether this machine lets this process make and mount one. */
  static isPossible(): boolean {
    const has = (program: string) => Bun.which(program) !== null
    return process.getuid?.() === 0 && existsSync('/dev/loop-control') && has('mkfs.ext4') && has('mount')
  }

  /** @param sizeMb its size; the file takes only what is written */
  static async make(directory: string, sizeMb: number): Promise<LoopDisk> {
    const disk = new LoopDisk(directory)
    mkdirSync(disk.path)
    await shell('truncate', '-s', `${sizeMb}M`, disk.#image)
    // Otherwise the kernel would go on writing to it by itself.
    const whole = 'lazy_itable_init=0,lazy_journal_init=0'
    await shell('mkfs.ext4', '-q', '-F', '-m', '0', '-E', whole, disk.#image)
    await disk.mount()
    return disk
  }

  async mount(): Promise<void> {
    await shell('mount', '-o', 'loop', this.#image, this.path)
  }

  /** Unmounts it once nobody uses it. */
  async unmount(): Promise<void> {
    if (this.#device() === undefined) return
    await until('the disk is unmounted', async () =>
      shell('umount', this.path).then(
        () => true,
        () => false,
      ),
    )
  }

  /**
   * Keeps what has reached the disk so far; everything else is lost at {@link lose}, as in a power cut. Whoever writes to the
   * disk must have been stopped.
   */
  async cut(): Promise<void> {
    const device = basename(this.#device() ?? '')
    for (let copies = 0; copies < COPIES; copies++) {
      const before = writesOf(device)
      await shell('cp', '--sparse=always', this.#image, `${this.#image}.cut`)
      const after = writesOf(device)
      if (before.inFlight + after.inFlight === 0 && before.done === after.done) return
    }
    throw new Error('The kernel kept writing to the disk while it was copied')
  }

  /** Continues with what {@link cut} has kept. */
  async lose(): Promise<void> {
    await this.unmount()
    renameSync(`${this.#image}.cut`, this.#image)
    await this.mount()
  }

  async remove(): Promise<void> {
    await this.unmount()
    rmSync(this.#image, { force: true })
  }

  #device(): string | undefined {
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
    return mounts.find((line) => line.split(' ')[1] === this.path)?.split(' ')[0]
  }
}

/** Requests that a block device has finished, and has in progress: writes, discards and flushes, but not reads. */
function writesOf(device: string): { done: string; inFlight: number } {
  const fields = readFileSync(`/sys/block/${device}/stat`, 'utf8').trim().split(/\s+/)
  return { done: [4, 11, 15].map((index) => fields[index]).join(), inFlight: Number(fields[8]) }
}

async function shell(...command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdout: 'ignore', stderr: 'pipe' })
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  if (code !== 0) throw new Error(`${command.join(' ')}: ${said.trim()}`)
}
