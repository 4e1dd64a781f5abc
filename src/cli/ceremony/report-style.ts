/** How the printable report looks: on a screen, dark or light, and on paper. */
export const REPORT_STYLE: string = `
:root { color-scheme: light dark; --line: #8a8f98; --bad: #a4161a; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a8a; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
dl { display: grid; grid-template-columns: minmax(10rem, auto) 1fr; gap: .25rem 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid var(--line); padding: .35rem .5rem; text-align: left; vertical-align: top; overflow-wrap: break-word; }
.long { overflow-wrap: anywhere; }
.by-hand td { height: 2.5rem; min-width: 8rem; }
.verdict { border: 2px solid var(--line); padding: .75rem 1rem; font-weight: 600; }
.bad, .wrong strong { color: var(--bad); border-color: var(--bad); }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
@media print {
  :root { color-scheme: light; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  section { break-inside: auto; }
  tr, dt, dd { break-inside: avoid; }
  h2 { break-after: avoid; }
}
`;
