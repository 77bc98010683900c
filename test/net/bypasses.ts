/** Hosts of the tests, by what a lookup answers: the next one of the list each time, the last one for ever. */
export type Zone = Readonly<Record<string, readonly (readonly string[])[]>>

/** Names that lead where nobody may go, as their owners could have it. */
export const ZONE: Zone = {
  localhost: [['127.0.0.1']],
  'localhost.': [['127.0.0.1']],
  'sub.localhost': [['127.0.0.1']],
  'ip6-localhost': [['::1']],
  'loopback.test': [['127.0.0.1']],
  'loopback6.test': [['::1']],
  'mapped.test': [['::ffff:127.0.0.1']],
  'private.test': [['10.0.0.5']],
  'link-local.test': [['169.254.169.254']],
  'zone.test': [['fe80::1%lo']],
  'unspecified.test': [['0.0.0.0']],
  'all-private.test': [['10.0.0.1', '192.168.0.1', '172.16.0.1', '::1', 'fd00::1']],
  // What a CNAME leads to is answered for the name itself.
  'cname.test': [['127.0.0.1']],
  '127.0.0.1.nip.test': [['127.0.0.1']],
  'metadata.google.internal': [['169.254.169.254']],
  metadata: [['169.254.169.254']],
  'instance-data.ec2.internal': [['169.254.169.254']],
  'not-an-address.test': [['127.0.0.1:80']],
  'empty.test': [[]],
}

/**
 * URLs that lead to where nobody may go, or would if something on the way read them otherwise.
 * @param port of a server on the loopback that must not be asked
 */
export function bypasses(port: number): string[] {
  const at = (host: string) => `http://${host}:${port}/`
  return [
    // IPv4 in every way that it is written.
    ...[
      '127.0.0.1',
      '127.0.0.2',
      '127.255.255.254',
      '127.1',
      '127.0.1',
      '0177.0.0.1',
      '0177.1',
      '0x7f.0.0.1',
    ],
    ...[
      '0x7f.1',
      '0x7f000001',
      '0X7F.0X0.0X0.0X1',
      '2130706433',
      '017700000001',
      '127.0.0.0x1',
      '127.0.0.01',
    ],
    ...['0', '0.0.0.0', '0x0', '00000000', '0.0', '127.0.0.1.', '00000177.0.0.01', '127.000.000.001'],
    // Digits and dots of other scripts, and characters that vanish.
    ...['①②⑦.⓪.⓪.①', '１２７.0.0.1', '127．0．0．1', '127。0。0。1', '127｡0｡0｡1', '¹²⁷.0.0.1', '𝟏𝟐𝟕.0.0.1'],
    ...['ⓛⓞⓒⓐⓛⓗⓞⓢⓣ', 'local\u00adhost', 'loc\u200bal\u2060host', 'ＬＯＣＡＬＨＯＳＴ', 'ſub.localhost'],
    // Percent signs, which URLs decode in hosts.
    ...['127%2e0%2e0%2e1', '%31%32%37.0.0.1', '%6c%6f%63alhost', '127.0.0.1%2f.public.test', '%5b::1%5d'],
    // IPv6, and IPv4 in its clothes.
    ...['[::1]', '[0:0:0:0:0:0:0:1]', '[::]', '[0000::0001]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]'],
    ...[
      '[0:0:0:0:0:FFFF:7F00:0001]',
      '[::127.0.0.1]',
      '[::7f00:1]',
      '[64:ff9b::127.0.0.1]',
      '[64:ff9b:1::7f00:1]',
    ],
    ...['[2002:7f00:1::]', '[2001:0:7f00:1::80ff:fffe]', '[::ffff:0:127.0.0.1]', '[2a00::5efe:7f00:1]'],
    ...[
      '[fe80::1]',
      '[fe80::1%25lo]',
      '[::1%lo]',
      '[fec0::1]',
      '[fc00::1]',
      '[fd12:3456:789a::1]',
      '[ff02::1]',
    ],
    // Private, shared, for benchmarks and documents, many and all.
    ...['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '0xc0a80101', '100.64.0.1', '198.18.0.1'],
    ...[
      '192.0.2.1',
      '198.51.100.1',
      '203.0.113.1',
      '224.0.0.1',
      '239.255.255.255',
      '240.0.0.1',
      '255.255.255.255',
    ],
    // Where clouds keep secrets: AWS, its tasks, Google, Azure, Alibaba, Oracle, OpenStack.
    ...['169.254.169.254', '169.254.170.2', '0xa9fea9fe', '2852039166', '[fd00:ec2::254]', '[fd20:ce::254]'],
    ...['168.63.129.16', '100.100.100.200', '192.0.0.192', '[::ffff:a9fe:a9fe]', '[fe80::a9fe:a9fe]'],
    ...Object.keys(ZONE),
  ]
    .map(at)
    .concat(
      // Who is asked, where URLs are read in different ways.
      `http://public.test@127.0.0.1:${port}/`,
      `http://public.test:80@127.0.0.1:${port}/`,
      `http://127.0.0.1:${port}\\@public.test/`,
      `http://127.0.0.1:${port}#@public.test/`,
      `http://127.0.0.1:${port}?@public.test/`,
      `http:\\\\127.0.0.1:${port}\\`,
      `http:127.0.0.1:${port}`,
      `http:/127.0.0.1:${port}/`,
      `http:////127.0.0.1:${port}/`,
      `ht\ttp://127.0.\n0.1:${port}/`,
      ` http://127.0.0.1:${port}/ `,
      `HTTP://LOCALHOST:${port}/`,
      `https://127.0.0.1:${port}/`,
      // What is no HTTP.
      `ftp://127.0.0.1:${port}/`,
      `gopher://127.0.0.1:${port}/_GET%20/`,
      `ws://127.0.0.1:${port}/`,
      `dict://127.0.0.1:${port}/`,
      `unix:///var/run/docker.sock`,
      'file:///etc/passwd',
      'data:application/json,{}',
      'blob:http://127.0.0.1/1',
      'javascript:fetch(1)',
      `//127.0.0.1:${port}/`,
    )
}
