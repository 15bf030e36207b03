// The binary that the page is compared with.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export const binary = process.env.HAPROXY_INGRESS

/** What a program prints. Status 1 says that it found mistakes, which is no failure here. */
export async function run(program, words) {
  const started = promisify(execFile)(program, words, { maxBuffer: 2 ** 28 })
  const { stdout } = await started.catch(error => {
    if (error.code !== 1) throw new Error(error.stderr || `cannot run ${program}`)
    return error
  })
  return stdout
}
