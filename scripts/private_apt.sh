# Sourced by setup.sh and guests.sh: Debian packages of another suite or architecture, without
# touching the machine's own packages. apt runs on a state of its own in a temporary folder, with
# the mirror and the keyring of the machine's configuration, so that packages are signature-checked
# against keys the machine already trusts. No address of a mirror is written in this project.
# shellcheck shell=bash

QVM_CACHE="${QVM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qvm}"

# Prints "URI|Signed-By" of each Debian archive entry in the apt configuration, both forms of it.
apt_sources_in_files() {
    local etc
    local d=/etc/apt/
    etc="$(apt-config shell d Dir::Etc/d 2>/dev/null)" && eval "$etc"
    # deb822: stanzas separated by empty lines; a key written in place continues on indented lines
    # and is not used: the archive's own keyring is.
    for etc in "$d"/sources.list.d/*.sources; do
        [ -r "$etc" ] && cat "$etc" && echo
    done | awk '
        function flush() {
            if (types ~ /(^| )deb( |$)/ && enabled !~ /^(no|false|0)$/ && uris != "") {
                n = split(uris, u, " ")
                for (i = 1; i <= n; i++) print u[i] "|" (key ~ /^\// ? key : "")
            }
            types = uris = key = enabled = field = ""
        }
        /^#/ { next }
        /^[ \t]*$/ { flush(); next }
        /^[^ \t]+:/ {
            field = tolower($1); sub(/:.*/, "", field)
            value = $0; sub(/^[^:]*:[ \t]*/, "", value)
            if (field == "types") types = value
            else if (field == "uris") uris = value
            else if (field == "signed-by") key = value
            else if (field == "enabled") enabled = tolower(value)
            next
        }
        /^[ \t]/ && field == "uris" { uris = uris " " $0 }
        END { flush() }'
    # One line each: deb [options] uri suite components
    for etc in "$d"/sources.list "$d"/sources.list.d/*.list; do
        [ -r "$etc" ] && cat "$etc" && echo
    done | awk '
        /^[ \t]*deb[ \t]/ {
            key = ""; line = $0; sub(/^[ \t]*deb[ \t]+/, "", line)
            if (line ~ /^\[/) {
                options = line; sub(/\].*/, "", options); sub(/^\[[^\]]*\][ \t]*/, "", line)
                if (match(options, /signed-by=[^ \t]+/))
                    key = substr(options, RSTART + 10, RLENGTH - 10)
            }
            split(line, part, /[ \t]+/)
            print part[1] "|" key
        }'
}

# Sets DEBIAN_URI and DEBIAN_KEYRING, or fails.
find_debian_archive() {
    local entry candidate listed
    # The lists of an earlier "apt-get update" say which URIs really are Debian's.
    # shellcheck disable=SC2016 # the variables are apt's
    listed="$(apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)' 'Created-By: Packages' \
        2>/dev/null | sed -n 's/|Debian|Debian$//p' | head -n 1)"
    DEBIAN_URI='' DEBIAN_KEYRING=''
    while IFS= read -r entry; do
        candidate="${entry%%|*}"
        if [ -n "$listed" ]; then
            [ "${candidate%/}" = "${listed%/}" ] || continue
        else
            # Without lists: a path that ends in /debian is Debian's own archive by convention.
            case "${candidate%/}" in */debian) ;; *) continue ;; esac
        fi
        DEBIAN_URI="$candidate" DEBIAN_KEYRING="${entry#*|}"
        break
    done < <(apt_sources_in_files)
    [ -n "$DEBIAN_URI" ] || DEBIAN_URI="$listed"
    [ -n "$DEBIAN_URI" ] || return 1
    if [ ! -r "$DEBIAN_KEYRING" ]; then
        DEBIAN_KEYRING=''
        for candidate in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
            [ -r "$candidate" ] && DEBIAN_KEYRING="$candidate" && break
        done
    fi
    [ -n "$DEBIAN_KEYRING" ]
}

# private_apt_begin FOLDER ARCHITECTURE SUITE [TYPES]: prepares an empty state and fetches the lists; TYPES are
# deb (without any: that one) and deb-src.
private_apt_begin() {
    local type
    PRIVATE_APT="$1"
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
    for type in ${4:-deb}; do
        echo "$type [signed-by=$DEBIAN_KEYRING] $DEBIAN_URI $3 main"
    done >"$1/sources.list"
    # The hooks are cleared because they would clean or index the machine's own state. The sandbox
    # user is root's own self because apt's usual one cannot enter a folder below root's home.
    cat >"$1/apt.conf" <<CONF
#clear APT::Update;
#clear APT::Architectures;
#clear Acquire::IndexTargets::deb::DEP-11;
APT::Architecture "$2";
APT::Architectures { "$2"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "2";
Dir::State "$1";
Dir::State::Lists "$1/lists";
Dir::State::Status "/dev/null";
Dir::Cache "$1/cache";
Dir::Etc::SourceList "$1/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
CONF
    # A failed fetch of lists is only a warning to apt unless asked.
    apt-get -c "$1/apt.conf" -o APT::Update::Error-Mode=any update
}

# The candidate's control record, in the prepared state.
private_apt_show() {
    apt-cache -c "$PRIVATE_APT/apt.conf" show --no-all-versions "$1"
}

# private_apt_unpack PACKAGE FOLDER: downloads, checks and unpacks one package.
private_apt_unpack() {
    local deb
    mkdir -p "$PRIVATE_APT/debs" "$2" || return 1
    rm -f "$PRIVATE_APT"/debs/*.deb
    (cd "$PRIVATE_APT/debs" && apt-get -c "$PRIVATE_APT/apt.conf" download "$1") || return 1
    for deb in "$PRIVATE_APT"/debs/*.deb; do
        dpkg-deb -x "$deb" "$2" || return 1
        rm -f "$deb"
    done
}

# private_apt_version PACKAGE: upstream's version of a source package.
private_apt_version() {
    apt-cache -c "$PRIVATE_APT/apt.conf" showsrc --only-source "$1" |
        sed -n 's/^Version: \([0-9]*:\)\?\([0-9.]*\).*/\2/p' | head -n 1
}

# private_apt_source PACKAGE FOLDER: downloads, checks and unpacks what upstream made of a source package.
private_apt_source() {
    local archives="$PRIVATE_APT/sources/$1"
    mkdir -p "$archives" "$2" || return 1
    (cd "$archives" && apt-get -c "$PRIVATE_APT/apt.conf" source --tar-only --download-only --only-source "$1") || return 1
    # Beside the archive there may be its signature.
    tar -xf "$(find "$archives" -name '*.orig.tar.*' ! -name '*.asc')" -C "$2" --strip-components=1
}
