"""A small release of HPO in its true format: 6 organ systems with 72 findings, and 72 disorders of genes of different families."""

SYSTEMS = {
    "HP:0000707": ("Abnormality of the nervous system", "nervous", "brain"),
    "HP:0000478": ("Abnormality of the eye", "ocular", "retina"),
    "HP:0000598": ("Abnormality of the ear", "aural", "cochlea"),
    "HP:0001626": ("Abnormality of the cardiovascular system", "cardiac", "heart"),
    "HP:0025031": ("Abnormality of the digestive system", "hepatic", "liver"),
    "HP:0033127": ("Abnormality of the musculoskeletal system", "muscular", "muscle"),
}
KINDS = ("swelling", "stiffness", "tremor", "scarring")
DEGREES = ("Early", "Late")

HEADER = "format-version: 1.2\ndata-version: hp/releases/2025-01-16\nontology: hp.obo\n"
MODES = {"HP:0000006": "Autosomal dominant", "HP:0000007": "Autosomal recessive", "HP:0001419": "X-linked recessive", "HP:0001427": "Mitochondrial"}
ONSETS = {"HP:0003593": "Infantile onset", "HP:0011463": "Childhood onset", "HP:0003581": "Adult onset", "HP:0003577": "Congenital onset"}
COLUMNS = ["database_id", "disease_name", "qualifier", "hpo_id", "reference", "evidence", "onset", "frequency", "sex", "modifier", "aspect", "biocuration"]

SYLLABLES = ("bar", "cel", "dov", "fim", "gur", "hap", "jol", "kes", "lun")


def _stanza(term, name, *lines):
    return "\n".join(["", "[Term]", f"id: {term}", f"name: {name}", *lines, ""])


def obo():
    """Each system has four kinds of finding, each kind an early and a late form; the kind has a synonym."""
    stanzas = [HEADER, _stanza("HP:0000001", "All"), _stanza("HP:0000118", "Phenotypic abnormality", "is_a: HP:0000001 ! All")]
    for number, (system, (name, adjective, organ)) in enumerate(SYSTEMS.items()):
        stanzas.append(_stanza(system, name, "is_a: HP:0000118 ! Phenotypic abnormality"))
        for place, kind in enumerate(KINDS):
            above = f"HP:1{number}{place}0000"
            definition = f'def: "A {kind} that is seen in the {organ} of a patient. More is known." [PMID:1]'
            synonym = f'synonym: "{kind.capitalize()} of the {organ}" EXACT layperson []'
            stanzas.append(_stanza(above, f"{adjective.capitalize()} {kind}", definition, synonym, f"is_a: {system} ! {name}"))
            stanzas += [
                _stanza(f"HP:1{number}{place}000{age}", f"{form} {adjective} {kind}", f"is_a: {above} ! x") for age, form in enumerate(DEGREES, start=1)
            ]
    stanzas += [_stanza("HP:0000005", "Mode of inheritance", "is_a: HP:0000001 ! All"), _stanza("HP:0003674", "Onset", "is_a: HP:0000001 ! All")]
    stanzas.append(_stanza("HP:0001417", "X-linked inheritance", "is_a: HP:0000005 ! Mode of inheritance"))
    for term, name in MODES.items():
        parent = "HP:0001417" if term == "HP:0001419" else "HP:0000005"
        stanzas.append(_stanza(term, f"{name} inheritance", f"is_a: {parent} ! x"))
    return "\n".join([*stanzas, *(_stanza(term, name, "is_a: HP:0003674 ! Onset") for term, name in ONSETS.items())])


def disorders():
    """Id, name and gene of 72 disorders; the first three share a gene, the last has genes of two families."""
    names = [f"{first.capitalize()}{second}ia" for first in SYLLABLES for second in SYLLABLES if first != second]
    genes = [f"{first}{second}".upper() + "1" for first in SYLLABLES for second in SYLLABLES if first != second]
    rows = [(f"OMIM:{100000 + number}", name, [genes[max(number, 2)]]) for number, name in enumerate(names)]
    return [*rows[:-1], (*rows[-1][:2], [genes[-1], genes[-2]])]


def leaf(system, kind, age):
    return f"HP:1{system}{kind}000{age}"


def annotations():
    """Rows of phenotype.hpoa: five findings of two systems, one phenotype looked for in vain, a mode and an onset."""
    modes, onsets = list(MODES), list(ONSETS)
    for number, (disorder, name, _) in enumerate(disorders()):
        here, other = number % 6, (number * 5 + 1 + number // 6) % 6
        other = other if other != here else (here + 1) % 6
        found = [leaf(here, 0, 1 + number % 2), leaf(here, 1, 1), leaf(here, 2, 2), leaf(other, number % 4, 1), leaf(other, (number + 1) % 4, 2)]
        for place, term in enumerate(found):
            yield [disorder, name, "", term, f"PMID:{number}", "PCS", "", f"{9 - 2 * place}/{10 + number % 3}", "", "", "P", "HPO:x"]
        yield [disorder, name, "NOT" if number % 2 else "", leaf(here, 3, 1), f"PMID:{number}", "PCS", "", "" if number % 2 else "0/12", "", "", "P", "HPO:x"]
        yield [disorder, name, "", modes[number // 3 % 4], f"PMID:{number}", "PCS", "", "", "", "", "I", "HPO:x"]
        yield [disorder, name, "", onsets[number // 2 % 4], f"PMID:{number}", "PCS", "", "", "", "", "C", "HPO:x"]


def gene_rows():
    for number, (disorder, _, genes) in enumerate(disorders()):
        for gene in genes:
            yield [str(1000 + number), gene, leaf(number % 6, 1, 1), "x", "-", disorder]


def write_release(folder):
    """hp.obo, genes_to_phenotype.txt and phenotype.hpoa."""
    paths = tuple(folder / name for name in ("hp.obo", "genes_to_phenotype.txt", "phenotype.hpoa"))
    paths[0].write_text(obo())
    columns = ["ncbi_gene_id", "gene_symbol", "hpo_id", "hpo_name", "frequency", "disease_id"]
    paths[1].write_text("\n".join("\t".join(row) for row in [columns, *gene_rows()]) + "\n")
    paths[2].write_text("#version: 2025-01-16\n" + "\n".join("\t".join(row) for row in [COLUMNS, *annotations()]) + "\n")
    return paths
