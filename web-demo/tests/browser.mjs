// Serves the built page and opens it in a real Chromium.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { preview } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Starts both; `stop` ends both. */
export async function start() {
  if (!existsSync(`${root}/dist/index.html`)) {
    throw new Error('the page is not built: run `cargo xtask web`')
  }
  const server = await preview({
    root,
    logLevel: 'error',
    preview: { port: 0, host: '127.0.0.1' },
  })
  const browser = await chromium.launch({
    executablePath: executable(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  return {
    browser,
    url: server.resolvedUrls.local[0],
    async stop() {
      await browser.close()
      await server.close()
    },
  }
}

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
    } catch {
      // The next name.
    }
  }
  throw new Error('there is no Chromium: install it, or name it in the variable CHROMIUM')
}
