#!/bin/bash
# kustomize and helm from their release archives, by sha256.
# needs: KF_TOOLS KF_TOOL_*
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

read -ra tools <<<"$KF_TOOLS"

# give NAME: the one file of that name in the pinned archive, in /usr/local/bin.
give() {
    local name=$1 part url proxy sha version mark work archive=/var/cache/kfimage/$1.tar.gz said
    part=KF_TOOL_$(fact_part "$name")
    fact url "${part}_URL"
    fact proxy "${part}_PROXY"
    fact sha "${part}_SHA256"
    fact version "${part}_VERSION"
    mark=$STATE/tools/$name # the archive's sha256 and the binary's
    if [[ -f $ROOT$mark && -f $ROOT/usr/local/bin/$name && $(<"$ROOT$mark") == "$sha $(sha_of "$ROOT/usr/local/bin/$name")" ]]; then
        return 0
    fi
    fetch "$url" "$sha" "$archive" "$proxy"
    work=$(mktemp -d)
    tar -xzf "$ROOT$archive" -C "$work" --no-same-owner
    mapfile -t found < <(find "$work" -type f -name "$name")
    ((${#found[@]} == 1)) || die "$url holds ${#found[@]} files called $name, not one" "tar -tzf $archive"
    place "${found[0]}" "/usr/local/bin/$name" 0755
    rm -rf "$work" "$ROOT$archive"
    case $name in
    helm) said=$("$ROOT/usr/local/bin/$name" version --short) ;;
    *) said=$("$ROOT/usr/local/bin/$name" version) ;;
    esac
    [[ $said == *"v$version"* ]] || die "$name says it is '$said', not v$version" \
        "compare kfimage.lock: the url and the version of $name do not belong together"
    printf '%s %s\n' "$sha" "$(sha_of "$ROOT/usr/local/bin/$name")" | put "$mark" 0644
}

for tool in "${tools[@]}"; do give "$tool"; done
