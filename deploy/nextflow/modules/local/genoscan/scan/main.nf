process GENOSCAN_SCAN {
    tag "$meta.id"
    label 'process_high'

    conda "${moduleDir}/environment.yml"
    container "${params.genoscan_container ?: 'genoscan:latest'}"

    input:
    tuple val(meta), path(fasta)
    val model

    output:
    tuple val(meta), path("*.bed.gz")     , emit: bed
    tuple val(meta), path("*.bed.gz.csi") , emit: csi
    tuple val(meta), path("*.bed.gz.json"), emit: json
    path "versions.yml"                   , emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    genoscan scan \\
        ${fasta} \\
        --model ${model} \\
        --threads ${task.cpus} \\
        ${args} \\
        --output ${prefix}.bed.gz

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        genoscan: \$(genoscan --version | sed 's/genoscan //')
    END_VERSIONS
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo | gzip > ${prefix}.bed.gz
    touch ${prefix}.bed.gz.csi ${prefix}.bed.gz.json

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        genoscan: \$(genoscan --version | sed 's/genoscan //')
    END_VERSIONS
    """
}
