"""What the tiny release of the tests holds: terms, annotations, genes; and lines of the compact form of cases."""

TERMS = {
    "HP:0000001": ("All", ""),
    "HP:0000118": ("Phenotypic abnormality", "HP:0000001"),
    "HP:0000707": ("Abnormality of the nervous system", "HP:0000118"),
    "HP:0001250": ("Seizure", "HP:0000707"),
    "HP:0002069": ("Bilateral tonic-clonic seizure", "HP:0001250"),
    "HP:0001251": ("Ataxia", "HP:0000707"),
    "HP:0012443": ("Abnormal brain morphology", "HP:0000707"),
    "HP:0410170": ("Hippocampal atrophy", "HP:0012443"),
    "HP:0001274": ("Agenesis of corpus callosum", "HP:0012443"),
    "HP:0000478": ("Abnormality of the eye", "HP:0000118"),
    "HP:0000518": ("Cataract", "HP:0000478"),
    "HP:0000505": ("Visual impairment", "HP:0000478"),
    "HP:0000005": ("Mode of inheritance", "HP:0000001"),
    "HP:0000006": ("Autosomal dominant inheritance", "HP:0000005"),
}
SEIZURE, CLONIC, ATAXIA, CATARACT, BLIND = "HP:0001250", "HP:0002069", "HP:0001251", "HP:0000518", "HP:0000505"
SHRUNKEN, ACALLOSAL = "HP:0410170", "HP:0001274"
HEADER = ["database_id", "disease_name", "qualifier", "hpo_id", "reference", "evidence", "onset", "frequency", "sex", "modifier", "aspect", "biocuration"]
ROWS = [
    ("OMIM:100001", "Alpha ataxia 1", "", ATAXIA, "PMID:1", "3/4", "P"),
    ("OMIM:100001", "Alpha ataxia 1", "", CATARACT, "PMID:2;PMID:1", "", "P"),
    ("OMIM:100001", "Alpha ataxia 1", "", "HP:0000006", "PMID:1", "", "I"),
    ("OMIM:100002", "Alpha ataxia 2", "", ATAXIA, "PMID:3", "", "P"),
    ("OMIM:100003", "Beta seizure disorder", "", SEIZURE, "PMID:4", "HP:0040281", "P"),
    ("OMIM:100003", "Beta seizure disorder", "NOT", ATAXIA, "PMID:4", "", "P"),
    ("OMIM:100004", "Gamma eye disease", "", CATARACT, "OMIM:100004", "", "P"),
    ("OMIM:100004", "Gamma eye disease", "", BLIND, "OMIM:100004", "", "P"),
    ("ORPHA:1", "Alpha ataxia", "", ATAXIA, "ORPHA:1", "", "P"),
    ("ORPHA:1", "Alpha ataxia", "", SEIZURE, "ORPHA:1", "", "P"),
]
GENES = {"ONE": "OMIM:100001", "TWO": "OMIM:100002", "SAME": "OMIM:100002", "THREE": "OMIM:100003", "FOUR": "OMIM:100004"}


def compact(name, present, gene, disease, paper, **more):
    """A line of the compact form."""
    row = {"id": name, "sex": "MALE", "age": "P1Y", "hpo": [[term, "name"] for term in present], "hpo_excluded": [], "disease": [[disease, "name"]]}
    return row | {"gene": [["HGNC:1", gene]] if gene else [], "variants": [], "refs": [paper], "neuro": True} | more
