// What can be chosen, shared, copied and downloaded.

import { commandLine } from './command'
import { byId, count, make } from './dom'
import { examples, inputOf } from './examples'
import { EMBEDDED, firstShown, type First } from './first'
import { baseName } from './output/view'
import type { Line } from './provenance'
import { remember, toFragment, withoutSecrets } from './share'
import { VERSIONS, isSame, shownPath, type Event, type Input, type State } from './state'

export interface Ways {
  state(): State
  dispatch(event: Event): void
  say(text: string): void
  toLine(line: Pick<Line, 'file' | 'number'>): void
  focusEditor(): void
}

const SAVE_AFTER = 500

export class Tools {
  readonly #ways: Ways
  #knowsThePage: boolean
  #saving: number | undefined
  /** What waits for an answer about the newest text. */
  #waiting: (() => void)[] = []

  constructor(first: First, ways: Ways) {
    this.#ways = ways
    this.#knowsThePage = first.knowsThePage
    this.#mountExamples()
    this.#mountChoices()
    this.#mountIntro()
    byId('share').onclick = () => void this.#share()
    byId('command').onclick = () => void this.#copyCommand()
    byId('copy').onclick = () => {
      const file = this.#file()
      if (file) void this.#copy(file.content, `${baseName(file.path)} copied`, 'The browser does not allow copying.')
    }
    byId('download').onclick = () => {
      const file = this.#file()
      if (file) save(new Blob([file.content], { type: 'text/plain' }), baseName(file.path))
    }
    byId('download-all').onclick = () => void this.#downloadAll()
    document.body.classList.toggle('embedded', EMBEDDED)
    byId('whole').hidden = !EMBEDDED
    window.onpagehide = () => this.save()
    // A link to another state of this page, followed from this page.
    window.onhashchange = () => void this.#openAddress()
  }

  /** Follows the state: what can be chosen, what is kept for the next visit, and the address. */
  follow(event: Event, before: State): void {
    const state = this.#ways.state()
    byId<HTMLSelectElement>('haproxy').value = state.haproxy
    if (this.#waiting.length > 0 && this.#isAnswered()) for (const done of this.#waiting.splice(0)) done()
    if (state.latest !== before.latest || state.configMap !== before.configMap) this.#showConfigMaps(state)
    if (EMBEDDED && event.type === 'compiled') void this.#linkToWhole()
    if (event.type === 'edited' || state.kept !== before.kept) this.#saveSoon()
    if (event.type === 'haproxy chosen' || event.type === 'ConfigMap chosen') this.save()
    // The address is that of what was opened, until it is edited.
    const isOther = state.files !== before.files || state.kept.length !== before.kept.length
    const changed = isOther && event.type !== 'opened'
    if (changed && location.hash !== '' && !EMBEDDED) history.replaceState(null, '', location.pathname + location.search)
  }

  async #openAddress(): Promise<void> {
    if (location.hash === '') return
    const { input, notice } = await firstShown()
    if (notice) this.#ways.say(notice)
    else this.#ways.dispatch({ type: 'opened', input })
  }

  /** In a frame, a link leads to the same state with more room. Secrets stay behind. */
  async #linkToWhole(): Promise<void> {
    const { latest } = this.#ways.state()
    const shared = { ...this.#shared(), running: null }
    const files = withoutSecrets(shared.files, latest?.output.secrets ?? [])
    const address = new URL(`#${await toFragment({ ...shared, files })}`, location.href.replace(/[?#].*/, ''))
    byId<HTMLAnchorElement>('whole').href = address.href
  }

  save(): void {
    clearTimeout(this.#saving)
    if (!EMBEDDED) remember(this.#shared(), this.#knowsThePage)
  }

  #saveSoon(): void {
    clearTimeout(this.#saving)
    this.#saving = window.setTimeout(() => this.save(), SAVE_AFTER)
  }

  #shared(): Input {
    const { files, haproxy, configMap, running, kept } = this.#ways.state()
    return { files, haproxy, configMap, running, kept }
  }

  #file() {
    const state = this.#ways.state()
    return state.good?.output.files.find(it => it.path === shownPath(state))
  }

  #mountExamples(): void {
    const chosen = byId<HTMLSelectElement>('examples')
    chosen.append(
      make('option', { value: '' }, 'choose…'),
      ...examples.map(it => make('option', { value: it.name }, it.title)),
    )
    chosen.onchange = () => {
      const example = examples.find(it => it.name === chosen.value)
      chosen.value = ''
      if (!example) return
      const input = inputOf(example, this.#ways.state().haproxy)
      this.#ways.dispatch({ type: 'opened', input })
      if (!EMBEDDED) history.replaceState(null, '', `#example/${example.name}`)
    }
  }

  #mountChoices(): void {
    const versions = byId<HTMLSelectElement>('haproxy')
    const newestFirst = [...VERSIONS].sort((a, b) => Number(b) - Number(a))
    versions.append(...newestFirst.map(it => make('option', { value: it }, it)))
    versions.value = this.#ways.state().haproxy
    versions.onchange = () => this.#ways.dispatch({ type: 'haproxy chosen', haproxy: versions.value })

    const configMaps = byId<HTMLSelectElement>('config-maps')
    configMaps.onchange = () =>
      this.#ways.dispatch({ type: 'ConfigMap chosen', configMap: configMaps.value || null })

    const sections = byId<HTMLSelectElement>('sections')
    sections.onchange = () => {
      const number = Number(sections.value)
      const file = this.#ways.state().good?.output.files.find(it => it.role === 'config')
      sections.value = ''
      if (file && number > 0) this.#ways.toLine({ file, number })
    }
  }

  /** The ConfigMaps of the text; without one there is nothing to choose. */
  #showConfigMaps(state: State): void {
    const labels = state.latest?.output.objects.map(it => it.label) ?? []
    const names = labels.flatMap(it => /^ConfigMap (.+)$/.exec(it)?.[1] ?? [])
    const all = [...new Set([...names, ...(state.configMap === null ? [] : [state.configMap])])]
    const select = byId<HTMLSelectElement>('config-maps')
    byId('config-map').hidden = all.length === 0
    select.replaceChildren(
      make('option', { value: '' }, 'none'),
      ...all.map(it => make('option', { value: it }, it)),
    )
    select.value = state.configMap ?? ''
  }

  #mountIntro(): void {
    const intro = byId('intro')
    intro.hidden = this.#knowsThePage || EMBEDDED
    byId('understood').onclick = () => {
      this.#knowsThePage = true
      intro.hidden = true
      this.save()
      this.#ways.focusEditor()
    }
  }

  #isAnswered(): boolean {
    const { latest, files, trouble } = this.#ways.state()
    return trouble !== null || (latest !== null && isSame(latest.files, files))
  }

  /** The files as they may leave the browser, or nothing where it cannot be told what is secret. */
  async #forOthers(): Promise<{ files: Input['files']; left: string; whole: boolean } | null> {
    // Only the engine knows what is secret in a text.
    if (!this.#isAnswered()) await new Promise<void>(done => this.#waiting.push(done))
    const state = this.#ways.state()
    const whole = byId('with-secrets').querySelector('input')?.checked === true
    if (whole) return { files: state.files, left: '', whole }
    const newest = state.latest && isSame(state.latest.files, state.files) ? state.latest.output : null
    const speaksOfSecrets = state.files.some(it => /secret/i.test(it.text))
    if (speaksOfSecrets && !(newest && knowsItsSecrets(newest.diagnostics))) {
      byId('with-secrets').hidden = false
      this.#ways.say(
        'Nothing was copied: the text has errors, so what is secret in it cannot be told. Tick “with Secrets” to share all of it.',
      )
      return null
    }
    const secrets = newest?.secrets ?? []
    const left = secrets.length > 0 ? `; ${count(secrets.length, 'value')} of Secrets left out` : ''
    return { files: withoutSecrets(state.files, secrets), left, whole }
  }

  async #share(): Promise<void> {
    const shown = await this.#forOthers()
    if (!shown) return
    const shared = this.#shared()
    const { files, left, whole } = shown
    // Of what runs nobody knows any more where Secrets stand in it.
    const isSecret = shared.running?.some(it => /secret/i.test(it.text)) === true
    const isOther = shared.running !== null && !isSame(shared.running, shared.files)
    const running = isOther && (whole || !isSecret) ? shared.running : null
    history.replaceState(null, '', `#${await toFragment({ ...shared, files, running })}`)
    await this.#copy(location.href, `Link copied${left}`, `The link is in the address bar${left}`)
  }

  async #copyCommand(): Promise<void> {
    const shown = await this.#forOthers()
    if (!shown) return
    const { haproxy, configMap } = this.#ways.state()
    const command = commandLine(shown.files, haproxy, configMap)
    await this.#copy(command, `Command copied${shown.left}`, 'The browser does not allow copying.')
  }

  async #copy(text: string, done: string, failed: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text)
      this.#ways.say(done)
    } catch {
      this.#ways.say(failed)
    }
  }

  /** All files with the paths that they have for HAProxy; private keys are not in there. */
  async #downloadAll(): Promise<void> {
    const output = this.#ways.state().good?.output
    if (!output) return
    const { zipSync, strToU8 } = await import('fflate')
    const entries = output.files.map(it => [it.path.replace(/^\/+/, ''), strToU8(it.content)] as const)
    // The same input gives the same bytes: no time of day in it.
    const zip = zipSync(Object.fromEntries(entries), { mtime: new Date(1980, 0, 1) })
    save(new Blob([zip as Uint8Array<ArrayBuffer>], { type: 'application/zip' }), 'haproxy-ingress.zip')
    const redacted = output.files.filter(it => it.redacted).length
    const left = redacted > 0 ? `; ${count(redacted, 'certificate')} with private keys not in it` : ''
    this.#ways.say(`${count(output.files.length, 'file')} downloaded${left}`)
  }
}

/** Whether every Secret of the text was read, and only once: others have no known places. */
function knowsItsSecrets(diagnostics: { severity: string; code: string; message: string }[]): boolean {
  return !diagnostics.some(
    it =>
      it.severity === 'error' ||
      it.code.startsWith('duplicate-') ||
      it.code === 'invalid-field' ||
      (it.code === 'skipped-kind' && /secret/i.test(it.message)),
  )
}

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content)
  make('a', { href: address, download: name }).click()
  URL.revokeObjectURL(address)
}
