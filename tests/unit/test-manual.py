#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the manual, the journal catalog and the default configuration against what they describe. TAP.

test-manual.py SOURCE-ROOT BUILD-ROOT
"""

import json
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

source, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
PAGES = {p.name: p for p in sorted((build / 'man').glob('*.[0-9]')) + sorted((source / 'man').glob('*.[0-9]'))}
SYSTEM_TYPES = {'confd-had': 8, 'confd-ha-node': 8, 'confd-hactl': 1, 'confd-ha-keepalived': 8}


def plain(roff):
    """Roff as text that words can be looked for in: no fonts, no escapes."""
    text = re.sub(r'\\f[BIPR]', '', roff)
    text = text.replace(r'\-', '-').replace(r'\e', '\\').replace(r'\~', ' ').replace(r'\&', '')
    text = re.sub(r'^\.(BR|RB|BI|IB|IR|RI)\s+(.*)$', lambda m: joined(m.group(2)), text, flags=re.M)
    return re.sub(r'^\.(TP|B|I|SH|SS)\b\s*', '', text, flags=re.M)


def joined(arguments):
    """What .BR and the like print: their arguments without space between."""
    return ''.join(a.strip('"') for a in re.findall(r'"[^"]*"|\S+', arguments))


def page(name):
    return plain(PAGES[name].read_text())


def pages():
    return {n: plain(p.read_text()) for n, p in PAGES.items()}


def has_word(text, word):
    return re.search(r'(?<![\w-])' + re.escape(word) + r'(?![\w-])', text) is not None


def table_keys(file):
    return re.findall(r'^\s*\{ "(\w+)", "(\w+)", (?!required|no_arg)\w+, ', (source / file).read_text(), re.M)


def conf_keys(file):
    """(section, key) of each assignment of a configuration file, the commented ones included."""
    section, keys = None, []
    for line in (source / file).read_text().splitlines():
        if m := re.fullmatch(r'\[(\w+)\]', line):
            section = m.group(1)
        elif m := re.match(r'#?([A-Z]\w+)=', line):
            keys.append((section, m.group(1)))
    return keys


def test_options():
    missing = []
    for program, section in SYSTEM_TYPES.items():
        where = {'confd-had': 'service', 'confd-ha-node': 'node', 'confd-hactl': 'ctl',
                 'confd-ha-keepalived': 'keepalived'}[program]
        out = subprocess.run([build / 'src' / where / program, '--help'], capture_output=True, text=True, timeout=20,
                             check=True).stdout
        options = set(re.findall(r'(?<![\w-])--[a-z][a-z0-9-]*', out)) | {'--version', '--help'}
        text = page(f'{program}.{section}')
        missing += [f'{program}: {o}' for o in sorted(options) if not has_word(text, o)]
        if program == 'confd-hactl':
            verbs = set(re.findall(r'^\s+([a-z]+(?:-[a-z]+)*)\b', out, re.M))
            missing += [f'{program}: verb {v}' for v in sorted(verbs) if not has_word(text, v)]
    return missing


def test_keys():
    missing = []
    for table, conf, name in (('src/service/config.c', 'systemd/confd-ha.conf.in', 'confd-ha.conf.5'),
                              ('src/node/config.c', 'systemd/node.conf.in', 'confd-ha-node.8'),
                              ('src/keepalived/settings.c', 'systemd/keepalived.conf.in', 'confd-ha-keepalived.8')):
        keys = table_keys(table)
        if not keys:
            missing.append(f'{table}: no keys found in it')
        text = page(name)
        missing += [f'{name}: {k}=' for _, k in keys if not has_word(text, k + '=')]
        missing += [f'{conf}: [{s}] {k}=' for s, k in set(keys) - set(conf_keys(conf))]
        missing += [f'{conf} has [{s}] {k}=, which there is not' for s, k in set(conf_keys(conf)) - set(keys)]
    return missing


def test_dbus():
    missing = []
    for name, text in (('org.confd.HA', page('org.confd.HA.5')), ('org.confd.HANode', page('confd-ha-node.8'))):
        interface = next(i for i in xml.etree.ElementTree.parse(source / f'dbus/{name}.xml').iter('interface')
                         if i.get('name') == name)
        everything = {kind: [m.get('name') for m in interface.iter(kind)] for kind in ('method', 'property', 'signal')}
        missing += [f'no {kind} in {name}.xml' for kind in ('method', 'property') if not everything[kind]]
        # A member's entry begins with its name and what it takes or is.
        missing += [f'{name}: {kind} {m}' for kind, members in everything.items() for m in members
                    if not re.search(rf'^{m} ?\(', text, re.M)]
        missing += [f'{name}: {m} is documented, but is not there' for m in re.findall(r'^([A-Z]\w+) ?\(', text, re.M)
                    if not any(m in members for members in everything.values())]
    return missing


def test_errors():
    """The sources write error names as a prefix macro and the rest: service, node, and confd-hactl's explanations."""
    missing, text, found = [], page('org.confd.HA.5') + page('confd-ha-node.8'), set()
    for file, prefix, pattern in (('src/service/bus-errors.h', 'org.confd.HA.Error.', r'ERROR_PREFIX "(\w+)"'),
                                  ('src/service/bus-errors.h', '', r'"(org\.freedesktop\.DBus\.Error\.\w+)"'),
                                  ('src/node/bus.c', 'org.confd.HANode.Error.', r'NODE_BUS_ERROR\("(\w+)"\)'),
                                  ('src/node/bus-writes.c', 'org.confd.HANode.Error.', r'NODE_BUS_ERROR\("(\w+)"\)'),
                                  ('src/ctl/error-table.c', 'org.confd.HA.Error.', r'HA\("(\w+)"\)'),
                                  ('src/ctl/error-table.c', 'org.confd.HANode.Error.', r'NODE\("(\w+)"\)')):
        names = re.findall(pattern, (source / file).read_text())
        if not names:
            missing.append(f'{file}: no names found for {pattern}')
        found |= {prefix + n for n in names}
    documented = set(re.findall(r'^org\.confd\.HA(?:Node)?\.Error\.[A-Z]\w+', text, re.M))
    missing += [f'{e} is documented, but is not there' for e in sorted(documented - found)]
    return missing + [e for e in sorted(found) if not has_word(text, e)]


def test_polkit():
    text = page('confd-had.8') + page('org.confd.HA.5')
    actions = [a.get('id') for a in
               xml.etree.ElementTree.parse(source / 'polkit/org.confd.HA.policy').iter('action')]
    return [a for a in actions if not has_word(text, a)] + ([] if len(actions) == 8 else ['not eight actions'])


def test_functions():
    missing = []
    for header in sorted((source / 'include').glob('*.h')):
        code = re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S)
        names = re.findall(r'^(?!typedef|#|static)[a-z][\w ]*?[ *]+(confd_\w+)\(', code, re.M)
        if not names:
            missing.append(f'no functions in {header.name}')
        missing += [f'{n}(3)' for n in names if f'{n}.3' not in PAGES]
        for n in names:
            target = PAGES.get(f'{n}.3')
            if target and (m := re.match(r'\.so man3/(\S+)', target.read_text())):
                if m.group(1) not in PAGES or not has_word(page(m.group(1)), n):
                    missing.append(f'{n} is not in {m.group(1)}')
    return missing


def test_files():
    installed = json.loads((build / 'meson-info/intro-installed.json').read_text()).values()
    text, missing = '\n'.join(pages().values()), []
    for f in map(pathlib.Path, installed):
        # What a browser reads is no program and no file of anybody's.
        if '/man/' in str(f) or '/cockpit/' in str(f) or f.name.endswith('.metainfo.xml') or f.suffix == '.md' or re.search(r'\.so\.\d', f.name):
            continue
        if not has_word(text, f.name):
            missing.append(str(f))
    return missing


def test_journal():
    header = (source / 'src/basic/message-ids.h').read_text()
    ids = set(re.findall(r'^#define CONFD_HA_MSG_\w+ "([0-9a-f]{32})"', header, re.M))
    fields = set(re.findall(r'^#define CONFD_HA_FIELD_\w+ "(CONFD_HA_\w+)"', header, re.M))
    catalog = (source / 'systemd/confd-ha.catalog').read_text()
    entries = set(re.findall(r'^-- ([0-9a-f]{32})$', catalog, re.M))
    text = page('confd-had.8')
    missing = [f'no id in {w}' for w, s in (('the header', ids), ('the catalog', entries)) if not s]
    missing += [f'not in the catalog: {i}' for i in ids - entries] + [f'only in the catalog: {i}' for i in entries - ids]
    missing += [f'confd-had(8): {i}' for i in ids if not has_word(text, i)]
    missing += [f'confd-had(8): {f}=' for f in fields if not has_word(text, f + '=')]
    missing += [f'the catalog names {f}' for f in set(re.findall(r'@(CONFD_HA_\w+)@', catalog)) - fields]
    return missing


def test_defaults():
    """The defaults that the commented configuration shows are in the manual, too."""
    missing = []
    for conf, name in (('confd-ha.conf', 'confd-ha.conf.5'), ('node.conf', 'confd-ha-node.8')):
        text = page(name)
        for key, value in re.findall(r'^#([A-Z]\w+)=(.+)$', (build / 'systemd' / conf).read_text(), re.M):
            if value not in text:
                missing.append(f'{name}: {key}={value}')
    return missing


def test_roff():
    missing = []
    for name, file in PAGES.items():
        if file.read_text().startswith('.so '):
            continue
        out = subprocess.run(['groff', '-t', '-man', '-Tutf8', '-K', 'utf8', '-ww', '-z', file], capture_output=True,
                             text=True, timeout=20)
        missing += out.stderr.splitlines()
        if re.search(r'@\w+@', file.read_text()):
            missing.append(f'{name}: a name between @ is not filled in')
    return missing


TESTS = [
    ('every option and verb is in the manual', test_options),
    ('every configuration key is in the manual and in the default file', test_keys),
    ('every method, property and signal is in the manual', test_dbus),
    ('every error is in the manual', test_errors),
    ('every polkit action is in the manual', test_polkit),
    ('every function has a page', test_functions),
    ('every installed file is in the manual', test_files),
    ('journal entries, catalog and manual agree', test_journal),
    ('the defaults of the configuration files are those of the manual', test_defaults),
    ('the pages are without warnings', test_roff),
]

print(f'1..{len(TESTS)}')
failed = False
for number, (what, test) in enumerate(TESTS, 1):
    try:
        missing = test()
    except (OSError, KeyError, subprocess.SubprocessError, xml.etree.ElementTree.ParseError) as e:
        missing = [f'{type(e).__name__}: {e}']
    failed = failed or bool(missing)
    print(f'{"not ok" if missing else "ok"} {number} - {what}')
    for m in missing:
        print(f'# {m}')
sys.exit(failed)
